import numpy as np
import pytest

from perception.metrics.segmentation import pixel_counts, scores_per_batch, scores_per_image
from perception.tasks import DRIVABLE, LANE

# True negatives, false positives, false negatives, true positives.
GOOD = [90, 0, 0, 10]
HALF = [85, 5, 5, 5]
EMPTY = [100, 0, 0, 0]
INVENTED = [90, 10, 0, 0]


def test_counts_by_hand():
    foreground = np.array([[0, 1, 1], [0, 0, 1]], bool)
    truth = np.array([[0, 1, 0], [1, 0, 1]], np.uint8)
    assert pixel_counts(foreground, truth).tolist() == [2, 1, 1, 2]


def test_counts_take_any_nonzero_value_as_foreground():
    rng = np.random.default_rng(0)
    foreground, truth = rng.integers(0, 2, (2, 9, 7), np.uint8)
    assert pixel_counts(foreground * 255, truth * 7).tolist() == pixel_counts(foreground, truth).tolist()
    assert pixel_counts(foreground, truth).sum() == 63


def test_per_image_scores_average_images():
    scores = scores_per_image(np.array([GOOD, HALF]))
    assert scores["IoU"] == pytest.approx((1 + 5 / 15) / 2)
    assert scores["mIoU"] == pytest.approx((1 + (5 / 15 + 85 / 95) / 2) / 2)
    assert scores["ACC"] == pytest.approx((1 + (5 / 10 + 85 / 90) / 2) / 2)
    assert scores["pixel_acc"] == pytest.approx((1 + 0.9) / 2)


def test_per_image_scores_of_frames_without_foreground():
    assert scores_per_image(np.array([EMPTY])) == pytest.approx({"mIoU": 1, "IoU": 1, "ACC": 0.5, "pixel_acc": 1})
    assert scores_per_image(np.array([INVENTED]))["IoU"] == pytest.approx(0, abs=1e-9)


def test_per_batch_scores_pool_pixels():
    pooled = np.array([GOOD]) + np.array([HALF])
    assert scores_per_batch(LANE, np.array([GOOD, HALF]), 2) == pytest.approx(scores_per_batch(LANE, pooled, 1))


def test_per_batch_scores_weigh_batches_by_their_images():
    scores = scores_per_batch(LANE, np.array([GOOD, GOOD, HALF]), 2)
    assert scores["IoU"] == pytest.approx((2 * 1 + 5 / 15) / 3)
    assert scores["ACC"] == pytest.approx((2 * 1 + 5 / 10) / 3)


def test_per_batch_accuracy_differs_by_task():
    assert scores_per_batch(DRIVABLE, np.array([HALF]), 1)["ACC"] == pytest.approx(0.9)
    assert scores_per_batch(LANE, np.array([HALF]), 1)["ACC"] == pytest.approx(0.5)


def test_a_batch_without_foreground_scores_zero():
    assert scores_per_batch(LANE, np.array([EMPTY]), 48) == pytest.approx({"mIoU": 0.5, "IoU": 0, "ACC": 0})
