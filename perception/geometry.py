"""From a picture to the network's input and back: letterbox and stretch, with exact inverses.

``fit`` decides once per picture size how it is placed; the :class:`Fit` it returns moves images, boxes and masks
either way. NumPy and OpenCV only, so the board uses the very same code.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from perception.errors import InputError

Resize = Literal["letterbox", "stretch"]
MaskRule = Literal["touched", "rounded"]
PAD_COLOUR = 114
STRIDE = 32
# Of a network's input, in pixels: more than any camera gives, and little enough to make a picture of.
LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Fit:
    """How a native picture lies inside the network's input. All sizes are ``(height, width)`` in pixels."""

    native: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]
    top: int
    left: int

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per native pixel, vertical and horizontal."""
        return self.inner[0] / self.native[0], self.inner[1] / self.native[1]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the input that hold picture, not padding."""
        return slice(self.top, self.top + self.inner[0]), slice(self.left, self.left + self.inner[1])

    @property
    def interpolation(self) -> int:
        """OpenCV's method for pictures: linear up to a shrinking by 2, where every pixel still counts, else by area.

        By area is several times slower. The authors of RMT-PPAD (stretch) interpolate linearly, those of YOLOP
        (letterbox) by area; at 1280x720 both sizes they publish are within 2, where YOLOP's gives the same either way.
        """
        return cv2.INTER_LINEAR if min(self.scale) >= 0.5 else cv2.INTER_AREA

    def image(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Resize into ``out`` (uint8 ``[h, w, 3]``, made when absent); padding is grey 114.

        A reused ``out`` must come from this same fit: only its window is written again.
        """
        if out is None:
            out = np.full((*self.size, 3), PAD_COLOUR, np.uint8)
        window = out[self.window]
        if image.shape[:2] == self.inner:
            np.copyto(window, image)
            return out
        cv2.resize(image, self.inner[::-1], dst=window, interpolation=self.interpolation)
        return out

    def mask(self, mask: np.ndarray, rule: MaskRule = "touched") -> np.ndarray:
        """Resize a 0/1 mask to uint8 0/1 ``[h, w]``; padding is 0.

        Under ``touched`` (YOLOP's rule) any pixel that foreground falls on is foreground, so thin lanes survive;
        ``rounded`` (RMT-PPAD's) interpolates linearly and rounds.
        """
        out = np.zeros(self.size, np.uint8)
        if mask.shape == self.inner:
            out[self.window] = mask
        elif rule == "touched":
            out[self.window] = cv2.resize(mask * np.uint8(255), self.inner[::-1], interpolation=cv2.INTER_AREA) > 1
        else:
            out[self.window] = cv2.resize(mask, self.inner[::-1], interpolation=cv2.INTER_LINEAR)
        return out

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Native x1, y1, x2, y2 ``[N, 4]`` to input pixels."""
        y, x = self.scale
        return boxes * np.array([x, y, x, y], np.float32) + np.array([self.left, self.top] * 2, np.float32)

    def boxes_to_native(self, boxes: np.ndarray) -> np.ndarray:
        """Input x1, y1, x2, y2 ``[N, 4]`` to native pixels, not clipped."""
        y, x = self.scale
        return (boxes - np.array([self.left, self.top] * 2, np.float32)) / np.array([x, y, x, y], np.float32)

    def mask_to_native(self, mask: np.ndarray) -> np.ndarray:
        """Input mask ``[h, w]`` (any uint8 values) to native size, linear in between."""
        inner = np.ascontiguousarray(mask[self.window])
        return cv2.resize(inner, self.native[::-1], interpolation=cv2.INTER_LINEAR)


@lru_cache(maxsize=64)
def fit(native: tuple[int, int], size: tuple[int, int], resize: Resize) -> Fit:
    """Place a picture of ``native`` size in an input of ``size``, both ``(height, width)``.

    ``letterbox`` keeps the aspect and pads evenly; ``stretch`` fills the input.
    """
    if resize == "stretch":
        return Fit(native, size, size, 0, 0)
    ratio = min(size[0] / native[0], size[1] / native[1])
    inner = (max(1, round(native[0] * ratio)), max(1, round(native[1] * ratio)))
    return Fit(native, size, inner, (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return ``(height, width)`` if a network can take it, else raise :class:`InputError`."""
    if not all(STRIDE <= side <= LARGEST_SIDE and side % STRIDE == 0 for side in size):
        raise InputError(
            f"input size {size[0]}x{size[1]} (HxW): both sides must be multiples of {STRIDE}, at most {LARGEST_SIDE}"
        )
    return size


def parse_size(text: str) -> tuple[int, int]:
    """``"384x640"`` (height x width) to ``(384, 640)``."""
    try:
        height, width = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise InputError(f"size {text!r}: expected HEIGHTxWIDTH, such as 384x640") from None
    return height, width
