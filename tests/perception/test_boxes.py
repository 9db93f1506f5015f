import numpy as np
import pytest

from perception.boxes import area, iou, nms


def crowd(rng, count, clusters):
    """Boxes that gather in clusters, so that suppression has chains of overlaps to settle."""
    centres = rng.uniform(0, 600, (clusters, 2))[rng.integers(0, clusters, count)] + rng.normal(0, 6, (count, 2))
    half = rng.uniform(10, 50, (count, 2))
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def greedy(boxes, scores, threshold, limit):
    """The textbook loop: a box stays if no box kept before it overlaps it by more than the threshold."""
    overlap = iou(boxes, boxes)
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        if all(overlap[index, other] <= threshold for other in kept):
            kept.append(index)
    return kept[:limit]


def test_iou_by_hand():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    assert iou(boxes, boxes) == pytest.approx(np.array(expected))


def test_iou_is_symmetric_and_float32():
    rng = np.random.default_rng(0)
    first, second = crowd(rng, 30, 4), crowd(rng, 20, 4)
    assert iou(first, second) == pytest.approx(iou(second, first).T)
    assert iou(first, second).dtype == np.float32
    assert iou(first, second).shape == (30, 20)


def test_iou_without_boxes():
    assert iou(np.zeros((0, 4), np.float32), np.zeros((3, 4), np.float32)).shape == (0, 3)
    assert iou(np.zeros((3, 4), np.float32), np.zeros((0, 4), np.float32)).shape == (3, 0)


def test_empty_and_inverted_boxes_overlap_nothing():
    boxes = np.array([[4, 4, 4, 4], [9, 9, 1, 1], [0, 0, 10, 10]], np.float32)
    assert area(boxes).tolist() == [0, 0, 100]
    assert iou(boxes, boxes).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert nms(boxes, np.array([0.9, 0.8, 0.7], np.float32), 0.5, 300).tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 50, 96, 97, 500])
@pytest.mark.parametrize("clusters", [2, 15, 200])
@pytest.mark.parametrize("threshold", [0.0, 0.45, 0.6, 1.0])
@pytest.mark.parametrize("limit", [5, 300])
def test_nms_equals_the_greedy_loop(count, clusters, threshold, limit):
    rng = np.random.default_rng(count * clusters)
    boxes, scores = crowd(rng, count, clusters), rng.random(count, np.float32)
    assert nms(boxes, scores, threshold, limit).tolist() == greedy(boxes, scores, threshold, limit)


def test_nms_lets_a_box_live_whose_rival_was_suppressed():
    """A covers B and B covers C, but A does not cover C: C stays."""
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], np.float32)
    assert nms(boxes, np.array([0.9, 0.8, 0.7], np.float32), 0.5, 300).tolist() == [0, 2]


def test_nms_allows_an_iou_equal_to_the_threshold():
    boxes = np.array([[0, 0, 3, 1], [1, 0, 4, 1]], np.float32)
    scores = np.ones(2, np.float32)
    assert nms(boxes, scores, 0.5, 300).tolist() == [0, 1]
    assert nms(boxes, scores, 0.49, 300).tolist() == [0]


def test_nms_of_duplicates_keeps_the_first():
    boxes = np.repeat(np.array([[1, 2, 30, 40]], np.float32), 400, axis=0)
    assert nms(boxes, np.full(400, 0.5, np.float32), 0.6, 300).tolist() == [0]


def test_nms_without_boxes_or_places():
    empty = np.zeros((0, 4), np.float32)
    assert nms(empty, np.zeros(0, np.float32), 0.5, 300).tolist() == []
    assert nms(np.ones((2, 4), np.float32), np.ones(2, np.float32), 0.5, 0).tolist() == []
