"""The three tasks and the records that pass between rooms.

Arrays are NumPy; images are RGB uint8 ``[H, W, 3]``; boxes are float32 ``[N, 4]`` as x1, y1, x2, y2 in pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

DETECTION = "detection"
DRIVABLE = "drivable"
LANE = "lane"
TASKS = (DETECTION, DRIVABLE, LANE)
MASK_TASKS = (DRIVABLE, LANE)
# What a deployed network answers for each task, by the names of the ONNX file.
_OUTPUTS = {DETECTION: ("boxes", "scores"), DRIVABLE: ("drivable", "drivable_mean"), LANE: ("lane", "lane_mean")}


def output_names(tasks: Iterable[str]) -> tuple[str, ...]:
    """The outputs of a deployed network for ``tasks``, in the order of the ONNX file."""
    wanted = set(tasks)
    return tuple(name for task in TASKS if task in wanted for name in _OUTPUTS[task])


# BDD100K's names. Both published protocols merge these into the one class "vehicle".
VEHICLE_CATEGORIES = frozenset({"car", "bus", "truck", "train"})


@dataclass(frozen=True)
class Sample:
    """One labelled frame in its native size.

    Attributes:
        name: file stem, unique within its split.
        image: uint8 ``[H, W, 3]`` RGB.
        boxes: float32 ``[N, 4]`` x1, y1, x2, y2 of the vehicles, native pixels.
        drivable: uint8 ``[H, W]``, 0 or 1.
        lane: uint8 ``[H, W]``, 0 or 1.
        tasks: those that are labelled; what belongs to others is empty and means nothing.
    """

    name: str
    image: np.ndarray
    boxes: np.ndarray
    drivable: np.ndarray
    lane: np.ndarray
    tasks: tuple[str, ...] = TASKS


@dataclass(frozen=True)
class Outputs:
    """What a deployed network answers for a batch: the outputs of the ONNX file, by the same names.

    None stands for a task that the network does not have.

    Attributes:
        boxes: float32 ``[N, K, 4]`` x1, y1, x2, y2 in network-input pixels, at most K candidates an image.
        scores: float32 ``[N, K]`` in [0, 1].
        drivable: uint8 ``[N, H, W]``, probability x 255.
        lane: uint8 ``[N, H, W]``, probability x 255.
        drivable_mean: float32 ``[N]``, mean probability. It is not finite where a probability is not, which bytes
            cannot tell.
        lane_mean: float32 ``[N]``, likewise.
    """

    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None
    drivable: np.ndarray | None = None
    lane: np.ndarray | None = None
    drivable_mean: np.ndarray | None = None
    lane_mean: np.ndarray | None = None

    @classmethod
    def of(cls, tasks: Iterable[str], arrays: Iterable[np.ndarray]) -> "Outputs":
        """From what a network of ``tasks`` answered, in the order of :func:`output_names`."""
        by_name: dict[str, Any] = dict(zip(output_names(tasks), arrays, strict=True))
        return cls(**by_name)


@dataclass(frozen=True)
class Prediction:
    """What was seen in one frame after post-processing, boxes in native pixels, best first.

    A network without detection sees no boxes; None stands for a mask that a network does not have.

    Attributes:
        boxes: float32 ``[N, 4]`` x1, y1, x2, y2.
        scores: float32 ``[N]``, descending.
        drivable: uint8 ``[h, w]``, probability x 255, in network-input pixels (``Fit.mask_to_native`` takes it home).
        lane: uint8 ``[h, w]``, likewise.
        spoiled: tasks whose outputs were not all finite. Such boxes are left out; such a mask means nothing.
    """

    boxes: np.ndarray
    scores: np.ndarray
    drivable: np.ndarray | None
    lane: np.ndarray | None
    spoiled: tuple[str, ...] = ()
