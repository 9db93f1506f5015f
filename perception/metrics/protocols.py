"""The two published evaluation protocols as streaming evaluators, one frame at a time.

An evaluator keeps a confidence and ten flags per box and four counts per mask, never a picture. Both answer a
``metrics`` record of fractions and counts:

    protocol, frames
    detection: precision, recall, mAP50, mAP50_95, AP_per_iou (10 thresholds), n_gt, n_pred
    drivable, lane: mIoU, IoU, ACC; pixel_acc under rmt-ppad
    segmentation_batch under yolop

A task of which no frame was added is absent. A figure of one protocol must not be compared with its namesake of the
other: the rules behind them differ.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np

from perception.boxes import iou
from perception.errors import InputError
from perception.geometry import MaskRule
from perception.metrics.detection import detection_scores, match_each_threshold, match_once
from perception.metrics.segmentation import pixel_counts, scores_per_batch, scores_per_image
from perception.tasks import DETECTION, MASK_TASKS

ProtocolName = Literal["rmt-ppad", "yolop"]

# YOLOP's rule for boxes before the matching; both protocols share it where a network needs suppression.
MIN_SCORE = 0.001
NMS_IOU = 0.6
MAX_BOXES = 300


class Evaluator(ABC):
    """Collects frames with ``add_boxes`` and ``add_mask``, and answers with ``result``.

    Attributes:
        name: of the protocol.
        mask_rule: how ground-truth masks come to the network's input size.
        clip_boxes: whether predicted boxes end at the border of the picture.
        recall_step: how the precision-recall curve ends, see ``average_precision``.
    """

    name: ClassVar[ProtocolName]
    mask_rule: ClassVar[MaskRule]
    clip_boxes: ClassVar[bool]
    recall_step: ClassVar[float | None]

    def __init__(self) -> None:
        self._confidences: list[np.ndarray] = []
        self._true_positives: list[np.ndarray] = []
        self._n_gt = 0
        self._counts: dict[str, list[np.ndarray]] = {task: [] for task in MASK_TASKS}

    @abstractmethod
    def min_score(self, needs_nms: bool) -> float:
        """The score that a box must exceed to count, for a network that needs suppression or one that does not."""

    def add_boxes(self, boxes: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> None:
        """Take one frame's detections.

        Args:
            boxes: ``[P, 4]`` x1, y1, x2, y2 in native pixels, in any order.
            scores: ``[P]``.
            truth: ``[G, 4]``, native pixels.
        """
        order = np.argsort(-scores, kind="stable")
        self._confidences.append(scores[order])
        self._true_positives.append(self._match(iou(boxes[order], truth)))
        self._n_gt += len(truth)

    def add_mask(self, task: str, foreground: np.ndarray, truth: np.ndarray) -> None:
        """Take one frame's mask of one task: both ``[h, w]``, non-zero where foreground, without padding."""
        self._counts[task].append(pixel_counts(foreground, truth))

    def result(self) -> dict[str, Any]:
        """The ``metrics`` record so far: plain numbers, fractions. Raises :class:`InputError` before any frame."""
        frames = max(len(self._confidences), *map(len, self._counts.values()))
        if not frames:
            raise InputError("nothing to evaluate: there is no labelled frame in this data set and split")
        record: dict[str, Any] = {"protocol": self.name, "frames": frames}
        if self._confidences:
            confidences, true_positives = np.concatenate(self._confidences), np.concatenate(self._true_positives)
            record[DETECTION] = detection_scores(confidences, true_positives, self._n_gt, self.recall_step)
        masks = {task: self._mask_scores(task, np.stack(counts)) for task, counts in self._counts.items() if counts}
        return {**record, **masks}

    @abstractmethod
    def _match(self, overlap: np.ndarray) -> np.ndarray:
        """IoU ``[P, G]``, best prediction first, to true positives ``[P, 10]``."""

    @abstractmethod
    def _mask_scores(self, task: str, counts: np.ndarray) -> dict[str, float]:
        """Pixel counts ``[N, 4]`` to the figures of one task."""


class RmtPpad(Evaluator):
    """RMT-PPAD's protocol (https://github.com/JiayuanWang-JW/RMT-PPAD).

    Every query of a network without suppression counts, the best 300 where there are more. That protocol knows no
    networks that need suppression; they are held to YOLOP's score threshold.
    """

    name = "rmt-ppad"
    mask_rule = "rounded"
    clip_boxes = False
    recall_step = None

    def min_score(self, needs_nms: bool) -> float:
        return MIN_SCORE if needs_nms else -math.inf

    def _match(self, overlap: np.ndarray) -> np.ndarray:
        return match_each_threshold(overlap)

    def _mask_scores(self, task: str, counts: np.ndarray) -> dict[str, float]:
        return scores_per_image(counts)


class Yolop(Evaluator):
    """YOLOP's protocol (https://github.com/hustvl/YOLOP).

    Args:
        segmentation_batch: frames whose mask pixels are pooled, a part of the protocol: lane figures rise with it,
            because a batch without lanes scores 0. The authors' test settings, 24 for each of 2 GPUs, pool
            48. It has nothing to do with the batch that a network runs, and is reported.
    """

    name = "yolop"
    mask_rule = "touched"
    clip_boxes = True
    recall_step = 0.001

    def __init__(self, segmentation_batch: int = 48) -> None:
        super().__init__()
        self._segmentation_batch = segmentation_batch

    def min_score(self, needs_nms: bool) -> float:
        return MIN_SCORE

    def result(self) -> dict[str, Any]:
        return {**super().result(), "segmentation_batch": self._segmentation_batch}

    def _match(self, overlap: np.ndarray) -> np.ndarray:
        return match_once(overlap)

    def _mask_scores(self, task: str, counts: np.ndarray) -> dict[str, float]:
        return scores_per_batch(task, counts, self._segmentation_batch)


PROTOCOLS: dict[ProtocolName, type[Evaluator]] = {"rmt-ppad": RmtPpad, "yolop": Yolop}
