from dataclasses import replace

from panoedge.ablate.tables import (
    cell_table,
    equal_cost_table,
    markdown,
    paired_table,
    recovery_table,
    score_table,
)


def test_cells_hold_every_figure(found):
    head, teacher, *cells = cell_table(found)
    assert len(cells) == len(found) - 1 and all(len(line) == len(head) for line in cells)
    assert dict(zip(head, teacher, strict=True))["latency"] == "1.0000"
    broken = dict(zip(head, cells[-1], strict=True))
    assert (broken["mAP50"], broken["fault"]) == ("", "budget: out of reach")


def test_scores_are_means_over_seeds(found):
    head, *lines = score_table(found)
    lines = [dict(zip(head, line, strict=True)) for line in lines]
    (safe,) = [line for line in lines if (line["budget"], line["method"], line["recovery"]) == ("50 %", "safe", "none")]
    assert safe["mAP50"] == "69.50 ± 0.71" and safe["seeds"] == "2 of 2" and safe["macs %"].startswith("60.00")
    (random,) = [line for line in lines if line["method"] == "random"]
    assert random["mAP50"] == "–" and random["seeds"] == "0 of 1"


def test_pairs_say_how_often_ours_wins(found):
    _, *lines = paired_table(found)
    assert [line[:3] for line in lines] == [["80 %", "none", "taylor"], ["50 %", "none", "taylor"]]
    assert lines[1][3:] == ["+9.00 ± 1.41 (2/2)"] * 4


def test_equal_cost_has_only_levels_that_both_reach(found):
    _, *lines = equal_cost_table(found, "macs")
    assert [line[:2] for line in lines] == [[f"{level} %", "taylor"] for level in (95, 90, 80, 70, 60)]
    assert equal_cost_table(found, "latency")[1:] == []


def test_recovery_is_compared_with_labels(found):
    _, line = recovery_table(found)
    assert line == ["50 %", "safe", "kd", *["+1.50 ± 0.71 (2/2)"] * 4, "1.50×"]


def test_tasks_that_a_network_does_not_do_are_left_out(found):
    rows = [replace(row, scores={k: v for k, v in row.scores.items() if k != "mAP50"}) for row in found]
    for table in (score_table(rows), paired_table(rows), equal_cost_table(rows, "macs"), recovery_table(rows)):
        head, *lines = table
        assert "mAP50" not in head and "lane_IoU" in head
        assert lines and all(len(line) == len(head) for line in lines)


def test_a_time_that_is_not_known_is_no_ratio(found):
    rows = [replace(row, seconds=0) for row in found]
    assert recovery_table(rows)[1][-1] == "–"


def test_markdown():
    assert markdown([["a", "b"], ["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
