"""Paint what was seen over the picture: boxes with scores, drivable area green, lane lines magenta."""

from pathlib import Path

import cv2
import numpy as np

from perception.files import atomic
from perception.geometry import Fit
from perception.spec import InputSpec
from perception.tasks import DRIVABLE, LANE, Prediction

# RGB.
_DRIVABLE = (40, 200, 80)
_LANE = (255, 0, 160)
_BOX = (255, 200, 0)
_DARK = (20, 20, 20)
_DRIVABLE_OPACITY = 0.4
_LANE_OPACITY = 0.85
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Strokes and letters are sized for this height and grow with the picture, down to what can still be read.
_REFERENCE_HEIGHT = 720
_SMALLEST_LETTERS = 0.34


def draw(image: np.ndarray, prediction: Prediction, fit: Fit, spec: InputSpec) -> np.ndarray:
    """Return a copy of ``image`` (uint8 ``[H, W, 3]`` RGB) with the prediction painted over it.

    Args:
        image: the frame in native size.
        prediction: what was seen in it.
        fit: how it lay in the network's input.
        spec: gives the threshold of each mask.
    """
    canvas = image.copy()
    for mask, task, colour, opacity in (
        (prediction.drivable, DRIVABLE, _DRIVABLE, _DRIVABLE_OPACITY),
        (prediction.lane, LANE, _LANE, _LANE_OPACITY),
    ):
        if mask is None:
            continue
        foreground = fit.mask_to_native(mask) > spec.thresholds[task] * 255
        _tint(canvas, foreground, colour, opacity)
    scale = min(image.shape[:2]) / _REFERENCE_HEIGHT
    # The best box comes last, so that nothing hides it.
    for box, score in zip(prediction.boxes[::-1], prediction.scores[::-1], strict=True):
        _box(canvas, box, float(score), scale)
    return canvas


def save(path: Path, image: np.ndarray) -> None:
    """Write a picture, uint8 ``[H, W, 3]`` RGB, by the suffix of ``path``; raises :class:`InputError`."""
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with atomic(path) as temporary:
        # Not OpenCV's own: it says nothing of a disk that is full.
        temporary.write_bytes(data.tobytes())


def _tint(canvas: np.ndarray, foreground: np.ndarray, colour: tuple[int, int, int], opacity: float) -> None:
    """Mix ``colour`` into the foreground pixels of ``canvas``."""
    levels = np.arange(256)[:, None] * (1 - opacity) + np.array(colour) * opacity
    tinted = cv2.LUT(canvas, levels.round().astype(np.uint8)[None])
    cv2.copyTo(tinted, foreground.astype(np.uint8), canvas)


def _box(canvas: np.ndarray, box: np.ndarray, score: float, scale: float) -> None:
    """A rectangle with a dark rim and its score in percent above it, or inside where there is no room."""
    stroke = max(1, round(2 * scale))
    left, top, right, bottom = (round(float(side)) for side in box)
    cv2.rectangle(canvas, (left, top), (right, bottom), _DARK, stroke + 2, cv2.LINE_AA)
    cv2.rectangle(canvas, (left, top), (right, bottom), _BOX, stroke, cv2.LINE_AA)
    text = f"{score:.2f}"
    letters = max(_SMALLEST_LETTERS, 0.5 * scale)
    pen = max(1, round(2 * letters))
    (width, height), base = cv2.getTextSize(text, _FONT, letters, pen)
    margin = max(2, base // 2)
    plate = height + 2 * margin
    x = max(0, min(left, canvas.shape[1] - width - 2 * margin))
    y = top - plate if top >= plate else top
    cv2.rectangle(canvas, (x, y), (x + width + 2 * margin, y + plate), _BOX, cv2.FILLED)
    cv2.putText(canvas, text, (x + margin, y + plate - margin), _FONT, letters, _DARK, pen, cv2.LINE_AA)
