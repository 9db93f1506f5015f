"""From overlaps to true positives, and from true positives to precision, recall and average precision.

Both matchings take one image's predictions, best first, and answer bool ``[P, 10]``: whether each prediction is a true
positive at each of ``IOU_THRESHOLDS``. Both let a prediction try its best ground truth only and a ground truth serve
one prediction only; they differ in when a ground truth counts as taken.
"""

from typing import Any

import numpy as np

# 0.50, 0.55 ... 0.95, as COCO has them; float32 like the overlaps, so that every NumPy compares them alike.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10, dtype=np.float32)
_RECALL_GRID = np.linspace(0, 1, 101)


def match_each_threshold(overlap: np.ndarray) -> np.ndarray:
    """RMT-PPAD's matching: anew at each threshold t, among pairs with IoU >= t.

    Args:
        overlap: IoU ``[P, G]``, predictions in descending confidence.

    Returns:
        bool ``[P, 10]``.
    """
    return np.stack([_first_claims(overlap, overlap >= threshold) for threshold in IOU_THRESHOLDS], axis=1)


def match_once(overlap: np.ndarray) -> np.ndarray:
    """YOLOP's matching: a ground truth taken at IoU > 0.5 is taken at all thresholds, where IoU > t decides.

    Args:
        overlap: IoU ``[P, G]``, predictions in descending confidence.

    Returns:
        bool ``[P, 10]``.
    """
    matched = _first_claims(overlap, overlap > IOU_THRESHOLDS[0])
    best = overlap.max(axis=1, initial=0)
    return matched[:, None] & (best[:, None] > IOU_THRESHOLDS)


def _first_claims(overlap: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Which predictions are the first to claim their best ground truth, if that pair is allowed: bool ``[P]``."""
    first = np.zeros(len(overlap), bool)
    if not overlap.size:
        return first
    best = overlap.argmax(axis=1)
    claimants = np.flatnonzero(allowed[np.arange(len(overlap)), best])
    _, winners = np.unique(best[claimants], return_index=True)
    first[claimants[winners]] = True
    return first


def detection_scores(
    confidences: np.ndarray, true_positives: np.ndarray, n_gt: int, recall_step: float | None
) -> dict[str, Any]:
    """Precision, recall and average precision of the pooled predictions of all images.

    Precision and recall are those of all predictions together at IoU 0.5: both repositories read them where recall
    is highest, not where F1 is.

    Args:
        confidences: ``[P]``, in any order.
        true_positives: bool ``[P, 10]``.
        n_gt: ground truths in all images.
        recall_step: see :func:`average_precision`.

    Returns:
        ``precision``, ``recall``, ``mAP50``, ``mAP50_95``, ``AP_per_iou`` (10), ``n_gt``, ``n_pred``; fractions.
        All are 0 where there is no true positive.
    """
    ranked = true_positives[np.argsort(-confidences, kind="stable")]
    ap = [average_precision(flags, n_gt, recall_step) for flags in ranked.T]
    hits = int(ranked[:, 0].sum())
    return {
        "precision": hits / max(len(ranked), 1),
        "recall": hits / max(n_gt, 1),
        "mAP50": ap[0],
        "mAP50_95": sum(ap) / len(ap),
        "AP_per_iou": ap,
        "n_gt": n_gt,
        "n_pred": len(ranked),
    }


def average_precision(true_positives: np.ndarray, n_gt: int, recall_step: float | None) -> float:
    """Area under the precision envelope over recall, by the trapezoid rule on 101 points.

    Args:
        true_positives: bool ``[P]``, in descending confidence.
        n_gt: ground truths in all images.
        recall_step: precision falls to 0 this far beyond the last recall (YOLOP: 0.001); None: at recall 1 (RMT-PPAD,
            where a perfect result therefore scores 0.995).
    """
    if not true_positives.any():
        return 0.0
    hits = true_positives.cumsum()
    recall = hits / n_gt
    precision = hits / np.arange(1, len(hits) + 1)
    end = 1.0 if recall_step is None else recall[-1] + recall_step
    envelope = np.maximum.accumulate(np.concatenate(([1.0], precision, [0.0]))[::-1])[::-1]
    samples = np.interp(_RECALL_GRID, np.concatenate(([0.0], recall, [end])), envelope)
    return float((samples[1:] + samples[:-1]).mean() / 2)
