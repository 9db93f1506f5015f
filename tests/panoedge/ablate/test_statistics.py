import pytest

from panoedge.ablate.statistics import Difference, at_equal_budget, at_equal_cost, curve, interpolated


def test_difference_is_paired_by_seed(found):
    # Seed 0: 70 against 60, seed 1: 69 against 61.
    assert at_equal_budget(found, 0.5, "none", "taylor", "mAP50") == Difference(9, pytest.approx(2**0.5), 2, 2)
    assert at_equal_budget(found, 0.8, "none", "taylor", "worst task").mean == pytest.approx(3)


@pytest.mark.parametrize(("recovery", "other"), [("none", "magnitude"), ("kd", "taylor"), ("none", "random")])
def test_no_pair_no_difference(found, recovery, other):
    assert at_equal_budget(found, 0.5, recovery, other, "mAP50") is None


def test_one_pair_has_no_spread():
    assert Difference.of([-1.0]) == Difference(-1, None, 0, 1)


@pytest.mark.parametrize(("level", "expected"), [(0.6, 70), (0.9, 82), (0.75, 76), (0.95, 86), (1.0, 90), (0.59, None)])
def test_score_is_interpolated_along_the_methods_own_curve(found, level, expected):
    # Safe, seed 0: 70 at 0.6 of the MACs, 82 at 0.9, the teacher's 90 at 1.
    score = interpolated(found, "safe", 0, "macs", level, "lane_IoU")
    assert score is None if expected is None else score == pytest.approx(expected)


def test_equal_macs_are_not_equal_parameters(found):
    # At 0.7 of the MACs: safe 74 and 73, taylor 72 and 73.
    difference = at_equal_cost(found, "macs", 0.7, "taylor", "mAP50")
    assert (difference.mean, difference.wins, difference.pairs) == (pytest.approx(1), 1, 2)


def test_what_was_not_measured_is_not_compared(found):
    assert at_equal_cost(found, "latency", 0.7, "taylor", "mAP50") is None
    assert [row.cell.method for row in curve(found, "safe", "latency")] == ["teacher"]
