"""Photometric and geometric augmentation that keeps image, boxes and masks together. NumPy and OpenCV.

Every function draws from the generator it is given, so a sample depends on nothing but its seed.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from perception.geometry import PAD_COLOUR
from perception.tasks import TASKS


@dataclass(frozen=True)
class Augmentation:
    """How far samples are moved and recoloured.

    Attributes:
        flip: probability of a mirror image.
        rotate: largest rotation, degrees either way.
        scale: largest relative zoom, in or out.
        translate: largest shift as a share of the side.
        hue, saturation, value: largest relative change of each.
        blur, noise: probabilities of a softened and of a grainy picture.
        keep: a box stays when this share of it is still inside the picture.
    """

    flip: float = 0.5
    rotate: float = 3.0
    scale: float = 0.3
    translate: float = 0.1
    hue: float = 0.015
    saturation: float = 0.5
    value: float = 0.4
    blur: float = 0.1
    noise: float = 0.1
    keep: float = 0.3


@dataclass(frozen=True)
class Frame:
    """A sample at network-input size: image uint8 ``[h, w, 3]``, boxes float32 ``[N, 4]`` x1, y1, x2, y2 in input
    pixels, masks uint8 ``[h, w]`` of 0 and 1; the tasks that are labelled, what belongs to others is empty; data set
    and frame, for messages."""

    image: np.ndarray
    boxes: np.ndarray
    drivable: np.ndarray
    lane: np.ndarray
    tasks: tuple[str, ...] = TASKS
    name: str = ""


def augment(frame: Frame, settings: Augmentation, rng: np.random.Generator) -> Frame:
    """A changed copy of ``frame``."""
    moved = move(frame, draw_matrix(frame.image.shape[:2], settings, rng), settings.keep)
    return replace(moved, image=recolour(moved.image, settings, rng))


def draw_matrix(size: tuple[int, int], settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A random affine map ``[2, 3]`` of input pixels about the picture's centre."""
    height, width = size
    angle = rng.uniform(-settings.rotate, settings.rotate)
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(settings.scale))
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom), np.float64)
    matrix[:, 2] += rng.uniform(-settings.translate, settings.translate, 2) * (width, height)
    if rng.random() < settings.flip:
        matrix = np.array([[-1, 0, width], [0, 1, 0]]) @ np.vstack((matrix, [0, 0, 1]))
    return matrix


def move(frame: Frame, matrix: np.ndarray, keep: float) -> Frame:
    """Apply an affine map to all parts; coordinates are pixel edges, so pixel centres lie at halves."""
    size = frame.image.shape[1::-1]
    # OpenCV maps pixel indices (centres): conjugate with the half-pixel shift.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - (0.5, 0.5)
    image = cv2.warpAffine(frame.image, centred, size, flags=cv2.INTER_LINEAR, borderValue=(PAD_COLOUR,) * 3)
    drivable, lane = (
        cv2.warpAffine(mask, centred, size, flags=cv2.INTER_NEAREST) for mask in (frame.drivable, frame.lane)
    )
    boxes = _move_boxes(frame.boxes, matrix, size, keep)
    return replace(frame, image=image, boxes=boxes, drivable=drivable, lane=lane)


def _move_boxes(boxes: np.ndarray, matrix: np.ndarray, size: tuple[int, int], keep: float) -> np.ndarray:
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    whole = np.concatenate((corners.min(1), corners.max(1)), 1)
    inside = np.clip(whole, 0, (*size, *size))
    area, left = (np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (whole, inside))
    sides = inside[:, 2:] - inside[:, :2]
    return inside[(left > keep * area) & (sides > 2).all(1)].astype(np.float32)


def recolour(image: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Change hue, saturation and brightness; sometimes blur or add noise."""
    hue, saturation, value = 1 + rng.uniform(-1, 1, 3) * (settings.hue, settings.saturation, settings.value)
    ramp = np.arange(256, dtype=np.float64)
    tables = (ramp * hue % 180, np.clip(ramp * saturation, 0, 255), np.clip(ramp * value, 0, 255))
    parts = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    changed = [cv2.LUT(part, table.astype(np.uint8)) for part, table in zip(parts, tables, strict=True)]
    image = cv2.cvtColor(cv2.merge(changed), cv2.COLOR_HSV2RGB)
    if rng.random() < settings.blur:
        image = cv2.blur(image, (3, 3))
    if rng.random() < settings.noise:
        grain = rng.integers(-12, 13, image.shape[:2], dtype=np.int16)[..., None]
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    return image
