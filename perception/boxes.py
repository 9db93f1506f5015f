"""Overlap of boxes and non-maximum suppression. Boxes are float32 ``[N, 4]`` x1, y1, x2, y2 in any one pixel unit."""

import numpy as np

# Suppression settles this many boxes at a time: small enough that the pairwise arrays stay in the processor's cache.
_BLOCK = 96


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair.

    Args:
        first: ``[N, 4]``.
        second: ``[M, 4]``.

    Returns:
        float32 ``[N, M]``; 0 where two empty boxes meet.
    """
    intersection = _intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def area(boxes: np.ndarray) -> np.ndarray:
    """Area of each of ``[N, 4]`` boxes, float32 ``[N]``; 0 where a box is inside out."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0, dtype=np.float32)
    return sides[:, 0] * sides[:, 1]


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, limit: int) -> np.ndarray:
    """Greedy non-maximum suppression: best first, a box goes when its IoU with a kept one exceeds ``threshold``.

    Args:
        boxes: ``[N, 4]``, finite.
        scores: ``[N]``, finite; equal scores keep their order.
        threshold: IoU in [0, 1]; an IoU equal to it is allowed.
        limit: how many boxes to keep at most.

    Returns:
        Indices of the boxes kept, best first.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept = [waiting[:0]]
    found = 0
    while len(waiting) and found < limit:
        block, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        block = block[_survivors(boxes[block], threshold)]
        kept.append(block)
        found += len(block)
        waiting = waiting[~_exceeds(boxes[block], boxes[waiting], threshold).any(axis=0)]
    return np.concatenate(kept)[:limit]


def _survivors(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Which of ``boxes``, given best first, greedy suppression keeps: bool ``[N]``.

    A box lives if no living better one covers it. Starting from "all live" and applying that rule to everything at
    once settles one more link of each chain of overlaps a round, so the first answer that repeats is the greedy one.
    """
    covers = np.triu(_exceeds(boxes, boxes, threshold), k=1)
    before, alive = np.zeros(len(boxes), bool), np.ones(len(boxes), bool)
    while (before != alive).any():
        before, alive = alive, np.logical_not(covers[alive].any(axis=0))
    return alive


def _exceeds(first: np.ndarray, second: np.ndarray, threshold: float) -> np.ndarray:
    """Whether IoU > threshold, bool ``[N, M]``.

    I / (A + B - I) > t is I > (A + B) t / (1 + t): no division, and false for empty boxes.
    """
    share = np.float32(threshold / (1 + threshold))
    return _intersection(first, second) > (area(first) * share)[:, None] + (area(second) * share)[None, :]


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Area shared by every pair, ``[N, M]``. One coordinate at a time: contiguous rows are several times faster."""
    left, top, right, bottom = np.ascontiguousarray(first.T)[:, :, None]
    other_left, other_top, other_right, other_bottom = np.ascontiguousarray(second.T)[:, None, :]
    width = np.minimum(right, other_right)
    width -= np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom)
    height -= np.maximum(top, other_top)
    np.maximum(width, 0, out=width)
    np.maximum(height, 0, out=height)
    width *= height
    return width
