import pytest

from panoedge.report.latency import ages, density, latency


def test_a_chart_for_every_rate_with_all_models(boards):
    histograms, timelines = latency(boards)
    assert [panel.title for panel in histograms.panels] == [
        f"{r}, % of frames per ms" for r in ("network", "frame", "stream")
    ]
    assert [len(panel.lines) for panel in histograms.panels] == [4, 4, 4]
    assert [len(panel.lines) for panel in timelines.panels] == [8, 8, 8]
    assert histograms.legend == list(enumerate((model["name"] for model in boards["models"]), 1))
    assert [len(panel.lines) for panel in ages(boards)[0].panels] == [4]


def test_the_deadline_stands_among_the_ages(boards):
    due = [model["speed"]["paced"] for model in boards["models"]]
    assert ages(boards)[0].panels[0].event == (33.3, "deadline")
    for paced in due:
        paced["deadline"] = 1000.0
    assert ages(boards)[0].panels[0].event is None, "a camera that slow would press the ages together"
    for paced in due[:2]:
        paced["deadline"] = 33.3
    assert ages(boards)[0].panels[0].event is None


def test_ages_of_nothing_are_no_chart(boards):
    for model in boards["models"]:
        model["speed"]["paced"]["histogram"] = []
    assert ages(boards) == []


def test_pale_lines_lie_below(boards):
    looks = [line.look for line in latency(boards)[1].panels[0].lines]
    assert looks == ["faint"] * 4 + [""] * 4


def test_reports_without_them_have_no_charts(report):
    assert latency(report) == ages(report) == []


def test_models_without_speed_are_not_in_the_legend(boards):
    boards["models"][0]["speed"] = None
    assert [mark for mark, _ in latency(boards)[0].legend] == [2, 3, 4]


def test_density_does_not_depend_on_the_width_of_bins():
    x, y = density({"ms": [1, 2, 4], "count": [10, 20]}, longest=9)
    assert x == [1, 2, 2, 4]
    assert y == pytest.approx([100 / 3] * 4)


def test_density_is_cut_and_takes_bins_without_width():
    x, _ = density({"ms": [1, 2, 2, 50], "count": [10, 3, 1]}, longest=5)
    assert x == [1, 2, 2, 5]
    assert density({"ms": [1, 2], "count": [0]}, longest=5)[1] == [0, 0]
