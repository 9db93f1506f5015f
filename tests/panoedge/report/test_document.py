from panoedge.report.blocks import Plots
from panoedge.report.document import document
from panoedge.report.overlay import encode


def plots(report: dict) -> Plots | None:
    blocks = [block for section in document(report, []).sections for block in section.blocks]
    return next((block for block in blocks if isinstance(block, Plots)), None)


def test_order_of_sections(report, overlays):
    page = document(report, encode(overlays))
    assert (page.title, page.date) == ("YOLOP made smaller", "2026-03-01 09:30 UTC")
    assert [section.title for section in page.sections] == [
        "Accuracy by task",
        "Size",
        "Speed",
        "Where the time of a frame goes",
        "Accuracy against cost",
        "What they see",
        "Device and versions",
        "How the models came about",
        "How it was measured",
    ]


def test_a_whole_benchmark_has_its_sections_too(boards):
    titles = [section.title for section in document(boards, []).sections]
    assert titles[3:6] == [
        "Where the time of a frame goes",
        "Which part of a network takes how long",
        "Beside a camera",
    ]
    assert "The machine meanwhile" in titles


def test_plots_of_work_and_of_time(report):
    panels = plots(report).panels
    assert [panel.x_label for panel in panels[::3]] == ["GMACs", "median ms per frame, Jetson Orin NX 16GB"]
    assert [panel.title for panel in panels[:3]] == ["mAP50 %", "drivable mIoU %", "lane IoU %"]
    assert [[point.mark for point in panel.points] for panel in panels[::3]] == [[1, 2, 3, 4, 5], [1, 4, 5]]
    assert panels[0].points[0].x == 9.34


def test_only_what_is_comparable_shares_a_plot(report):
    report["models"][1]["metrics"]["data"] = "camvid-drive"
    report["models"][3]["device"] = {"name": "workstation"}
    panels = plots(report).panels
    assert [[point.mark for point in panel.points] for panel in panels[::3]] == [[1, 3, 4, 5], [1, 5]]


def test_one_point_is_no_plot(report):
    for model in report["models"][1:]:
        model["metrics"] = None
    assert plots(report) is None
