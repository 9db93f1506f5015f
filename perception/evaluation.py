"""Run a network over labelled frames and measure it; the same loop for a checkpoint, an ONNX file and an engine."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np

from perception.faults import OutputFaults
from perception.geometry import Fit, fit
from perception.metrics.protocols import MAX_BOXES, NMS_IOU, PROTOCOLS, Evaluator, ProtocolName
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE, MASK_TASKS, Outputs, Prediction, Sample

Infer = Callable[[np.ndarray], Outputs]

_HEADLINE = {
    "recall": (DETECTION, "recall"),
    "mAP50": (DETECTION, "mAP50"),
    "drivable_mIoU": (DRIVABLE, "mIoU"),
    "lane_IoU": (LANE, "IoU"),
    "lane_ACC": (LANE, "ACC"),
}


def evaluate(
    infer: Infer,
    spec: InputSpec,
    samples: Iterable[Sample],
    protocol: ProtocolName = "rmt-ppad",
    batch: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Measure a network on ``samples``, which may differ in size and are read one batch at a time.

    Boxes are compared in native pixels, masks at the network's input size without its padding; of each frame what it
    is labelled for.

    Args:
        infer: takes uint8 ``[batch, H, W, 3]`` RGB pictures of ``spec.size`` and answers for them. It always gets
            ``batch`` of them, as a network of fixed batch needs; what fills up the last batch is not counted.
        spec: of the network.
        samples: labelled frames.
        protocol: ``rmt-ppad`` or ``yolop``.
        batch: how many pictures the network takes at a time.
        progress: called after each batch with the number of frames in it.

    Returns:
        The ``metrics`` record, see :mod:`perception.metrics.protocols`.

    Raises:
        InputError: there is no sample, or outputs are not finite frame after frame.
    """
    evaluator = PROTOCOLS[protocol]()
    min_score = evaluator.min_score(spec.needs_nms)
    pictures = np.zeros((batch, *spec.size, 3), np.uint8)
    faults = OutputFaults()
    remaining = iter(samples)
    while frames := list(islice(remaining, batch)):
        fits = [fit(frame.image.shape[:2], spec.size, spec.resize) for frame in frames]
        for picture, frame, placed in zip(pictures, frames, fits, strict=False):
            picture[:] = placed.image(frame.image)
        outputs = infer(pictures)
        for index, (frame, placed) in enumerate(zip(frames, fits, strict=True)):
            seen = postprocess(outputs, index, spec, placed, min_score, NMS_IOU, MAX_BOXES, clip=evaluator.clip_boxes)
            faults.look(frame.name, seen)
            _compare(evaluator, seen, frame, placed, spec)
        if progress:
            progress(len(frames))
    faults.tell()
    return evaluator.result()


def headline(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of every table, as fractions and in the tables' order, from a ``metrics`` record.

    There are five of a network that has all tasks.
    """
    return {name: metrics[task][key] for name, (task, key) in _HEADLINE.items() if task in metrics}


def _compare(evaluator: Evaluator, seen: Prediction, frame: Sample, placed: Fit, spec: InputSpec) -> None:
    """Hand one frame, predicted and true, to the evaluator."""
    tasks = [task for task in spec.tasks if task in frame.tasks]
    if DETECTION in tasks:
        evaluator.add_boxes(seen.boxes, seen.scores, frame.boxes)
    for task in tasks:
        if task not in MASK_TASKS:
            continue
        foreground = getattr(seen, task)[placed.window] > spec.thresholds[task] * 255
        truth = placed.mask(getattr(frame, task), evaluator.mask_rule)[placed.window]
        evaluator.add_mask(task, foreground, truth)
