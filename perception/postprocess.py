"""From a network's outputs to what was seen in one frame, the same on a board and in an evaluation."""

from math import isfinite

import numpy as np

from perception.boxes import nms
from perception.geometry import Fit
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE, Outputs, Prediction


def postprocess(
    outputs: Outputs,
    index: int,
    spec: InputSpec,
    fit: Fit,
    min_score: float = 0.25,
    iou: float = 0.45,
    limit: int = 300,
    clip: bool = True,
) -> Prediction:
    """Read frame ``index`` of a batch. The defaults suit a display (YOLOP's demonstration has the same).

    Candidates that are not finite, as a half-precision overflow leaves them, are dropped and told.

    Args:
        outputs: of the whole batch.
        index: of the frame in it.
        spec: of the network; where ``needs_nms``, overlapping boxes are suppressed.
        fit: how the frame was placed in the network's input.
        min_score: a box must exceed it.
        iou: suppression drops a box that overlaps a better one by more.
        limit: boxes to keep at most, best first.
        clip: whether boxes end at the border of the picture.

    Returns:
        Boxes in native pixels, best first; masks as they are, views of ``outputs``.
    """
    drivable, lane = (None if mask is None else mask[index] for mask in (outputs.drivable, outputs.lane))
    means = ((DRIVABLE, outputs.drivable_mean), (LANE, outputs.lane_mean))
    spoiled = tuple(task for task, mean in means if mean is not None and not isfinite(mean[index]))
    if outputs.boxes is None or outputs.scores is None:
        return Prediction(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), drivable, lane, spoiled)
    boxes, scores = outputs.boxes[index], outputs.scores[index]
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    if not finite.all():
        spoiled = (DETECTION, *spoiled)
    sound = finite & (scores > min_score)
    boxes, scores = boxes[sound], scores[sound]
    best = nms(boxes, scores, iou, limit) if spec.needs_nms else np.argsort(-scores, kind="stable")[:limit]
    native = fit.boxes_to_native(boxes[best])
    if clip:
        height, width = fit.native
        native = np.clip(native, 0, np.array([width, height, width, height], np.float32))
    return Prediction(native, scores[best], drivable, lane, spoiled)
