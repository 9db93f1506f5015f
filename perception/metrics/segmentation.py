"""From masks to pixel counts, and from counts to the figures of either protocol.

The counts of one mask are int64 ``[TN, FP, FN, TP]``; stacked, they are ``[N, 4]``.
"""

import numpy as np

from perception.tasks import DRIVABLE

_IOU_EPSILON = 1e-9
_RATE_EPSILON = 1e-12


def pixel_counts(foreground: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count the pixels of one mask.

    Args:
        foreground: ``[h, w]``, what was predicted, non-zero where foreground.
        truth: ``[h, w]``, what is so.

    Returns:
        int64 ``[4]``: true negatives, false positives, false negatives, true positives.
    """
    foreground, truth = np.asarray(foreground, bool), np.asarray(truth, bool)
    predicted, actual = np.count_nonzero(foreground), np.count_nonzero(truth)
    tp = np.count_nonzero(foreground & truth)
    return np.array([truth.size - predicted - actual + tp, predicted - tp, actual - tp, tp], np.int64)


def scores_per_image(counts: np.ndarray) -> dict[str, float]:
    """RMT-PPAD's rule: every figure per image, then the plain mean over images.

    A class absent from both masks has IoU 1. ACC is balanced accuracy, the mean of sensitivity and specificity;
    an image without foreground has sensitivity 0, so at most 0.5.

    Args:
        counts: ``[N, 4]``, one row per image.

    Returns:
        ``mIoU``, ``IoU`` (of the foreground), ``ACC``, ``pixel_acc``.
    """
    tn, fp, fn, tp = counts.T
    iou = (tp + _IOU_EPSILON) / (tp + fp + fn + _IOU_EPSILON)
    background_iou = (tn + _IOU_EPSILON) / (tn + fp + fn + _IOU_EPSILON)
    sensitivity = tp / (tp + fn + _RATE_EPSILON)
    specificity = tn / (tn + fp + _RATE_EPSILON)
    return {
        "mIoU": float((iou + background_iou).mean() / 2),
        "IoU": float(iou.mean()),
        "ACC": float((sensitivity + specificity).mean() / 2),
        "pixel_acc": float(((tn + tp) / counts.sum(axis=1)).mean()),
    }


def scores_per_batch(task: str, counts: np.ndarray, batch: int) -> dict[str, float]:
    """YOLOP's rule: every figure per batch of pooled pixels, then the mean over batches weighted by their images.

    A class absent from both masks of a whole batch has IoU 0. ACC is pixel accuracy for the drivable area and the
    share of lane pixels found for lanes.

    Args:
        task: ``drivable`` or ``lane``.
        counts: ``[N, 4]``, one row per image, in the order of the images.
        batch: images in a batch; the last batch may have fewer.

    Returns:
        ``mIoU``, ``IoU`` (of the foreground), ``ACC``.
    """
    starts = np.arange(0, len(counts), batch)
    images = np.diff(starts, append=len(counts))
    tn, fp, fn, tp = np.add.reduceat(counts, starts).T
    iou = _ratio(tp, tp + fp + fn)
    background_iou = _ratio(tn, tn + fp + fn)
    accuracy = _ratio(tn + tp, tn + fp + fn + tp) if task == DRIVABLE else _ratio(tp, tp + fn)
    return {
        "mIoU": float(np.average((iou + background_iou) / 2, weights=images)),
        "IoU": float(np.average(iou, weights=images)),
        "ACC": float(np.average(accuracy, weights=images)),
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0 for 0 / 0."""
    return part / np.maximum(whole, 1)
