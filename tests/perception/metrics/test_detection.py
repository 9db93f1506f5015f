import numpy as np
import pytest

from perception.metrics.detection import average_precision, detection_scores, match_each_threshold, match_once

NO_MATCH = [False] * 10


def upto(threshold):
    """Ten flags, true at 0.50, 0.55 ... ``threshold``."""
    return [round(100 * threshold) >= 50 + 5 * k for k in range(10)]


@pytest.mark.parametrize("match", [match_each_threshold, match_once])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_matches_nothing(match, shape):
    assert match(np.zeros(shape, np.float32)).tolist() == [NO_MATCH] * shape[0]


@pytest.mark.parametrize("match", [match_each_threshold, match_once])
def test_a_pair_counts_up_to_its_iou(match):
    assert match(np.array([[0.72]], np.float32)).tolist() == [upto(0.70)]


def test_the_two_rules_part_at_equality():
    overlap = np.array([[0.5]], np.float32)
    assert match_each_threshold(overlap).tolist() == [upto(0.50)]
    assert match_once(overlap).tolist() == [NO_MATCH]


def test_a_better_box_of_less_confidence_wins_only_where_thresholds_are_independent():
    overlap = np.array([[0.62], [0.92]], np.float32)
    loose, strict = match_each_threshold(overlap)
    assert loose.tolist() == upto(0.60)
    assert strict.tolist() == [not first and flag for first, flag in zip(upto(0.60), upto(0.90), strict=True)]
    assert match_once(overlap).tolist() == [upto(0.60), NO_MATCH]


@pytest.mark.parametrize("match", [match_each_threshold, match_once])
def test_a_loser_does_not_try_its_second_best(match):
    overlap = np.array([[0.9, 0.0], [0.8, 0.7]], np.float32)
    assert match(overlap)[:, 0].tolist() == [True, False]


@pytest.mark.parametrize("match", [match_each_threshold, match_once])
def test_a_ground_truth_serves_one_box(match):
    rng = np.random.default_rng(5)
    flags = match(rng.random((50, 6), np.float32))
    assert (flags.sum(axis=0) <= 6).all()
    assert flags[:, 0].sum() > 0


def test_average_precision_by_hand():
    """One hit, one miss, one hit, two ground truths: the envelope is 1 up to recall 0.5, then falls to 2/3 at 1."""
    flags = np.array([True, False, True])
    grid = np.linspace(0, 1, 101)
    envelope = np.interp(grid, [0, 0.5, 0.5, 1, 1.001], [1, 1, 2 / 3, 2 / 3, 0])
    expected = ((envelope[1:] + envelope[:-1]) / 2).sum() / 100
    assert average_precision(flags, 2, recall_step=0.001) == pytest.approx(expected, abs=1e-12)


def test_average_precision_ends_differently():
    """One of two ground truths found: a straight fall to recall 1 or a cliff at recall 0.5."""
    flags = np.array([True])
    assert average_precision(flags, 2, recall_step=None) == pytest.approx(0.75)
    assert average_precision(flags, 2, recall_step=0.001) == pytest.approx(0.505)


def test_average_precision_of_misses_is_zero():
    assert average_precision(np.zeros(4, bool), 3, None) == 0
    assert average_precision(np.zeros(0, bool), 0, None) == 0


def test_scores_count_all_predictions():
    flags = np.array([upto(0.60), NO_MATCH, upto(0.50), NO_MATCH])
    scores = detection_scores(np.array([0.2, 0.9, 0.8, 0.1], np.float32), flags, 5, None)
    assert scores["precision"] == 2 / 4
    assert scores["recall"] == 2 / 5
    assert (scores["n_gt"], scores["n_pred"]) == (5, 4)
    assert scores["mAP50"] == scores["AP_per_iou"][0] > scores["AP_per_iou"][1] == scores["AP_per_iou"][2] > 0
    assert scores["AP_per_iou"][3:] == [0] * 7
    assert scores["mAP50_95"] == pytest.approx(np.mean(scores["AP_per_iou"]))


def test_scores_of_nothing():
    scores = detection_scores(np.zeros(0, np.float32), np.zeros((0, 10), bool), 0, 0.001)
    assert scores["precision"] == scores["recall"] == scores["mAP50"] == scores["mAP50_95"] == 0
