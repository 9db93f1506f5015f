"""A dashboard camera: where points of the world fall in the picture.

World coordinates are metres: x right, y up, z forward, the origin on the road below the camera. Roll and the lens are
part of the projection, so labels bend exactly as the picture does.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perception.synthetic.dice import Dice

NEAR = 0.6
FIXED_BITS = 4
_FAR_OUT = 6000.0
_LENS_RADIUS = 1.4


@dataclass(frozen=True)
class Camera:
    """A pinhole with one radial lens term.

    Attributes:
        size: picture ``(height, width)`` in pixels.
        focal: focal length in pixels.
        height: metres above the road.
        pitch: radians, positive looks down.
        roll: radians, positive turns the picture clockwise.
        lens: radial distortion, the factor of the squared distance from the axis.
    """

    size: tuple[int, int]
    focal: float
    height: float
    pitch: float
    roll: float
    lens: float

    @cached_property
    def _pitch(self) -> tuple[float, float]:
        return math.sin(self.pitch), math.cos(self.pitch)

    @cached_property
    def _roll(self) -> tuple[float, float]:
        return math.sin(self.roll), math.cos(self.roll)

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Metres along the optical axis of points ``[..., 3]``."""
        sine, cosine = self._pitch
        return (self.height - points[..., 1]) * sine + points[..., 2] * cosine

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points ``[..., 3]`` to pixels ``[..., 2]``; what lies nearer than ``NEAR`` is treated as lying there."""
        return self._project(points, np.maximum(self.depth(points), NEAR))

    def polygons(self, points: np.ndarray) -> list[np.ndarray | None]:
        """Polygons ``[N, M, 3]`` cut at the near plane, as pixels ``[K, 2]`` each; None for those behind it."""
        depth = self.depth(points)
        if depth.min() >= NEAR:
            return list(self._project(points, depth))
        return [self._cut_and_project(*polygon) for polygon in zip(points, depth, strict=True)]

    def polygon(self, points: np.ndarray) -> np.ndarray | None:
        """One polygon ``[M, 3]`` cut at the near plane, as pixels ``[K, 2]``; None when it lies behind it."""
        return self._cut_and_project(points, self.depth(points))

    def pixels_per_metre(self, depth: np.ndarray) -> np.ndarray:
        """How large a metre appears at the given depths."""
        return self.focal / np.maximum(depth, NEAR)

    def across(self, depths: np.ndarray) -> np.ndarray:
        """Metres right of the axis ``[H, W]`` of ground that lies ``depths`` ``[H]`` away; lens and roll left aside."""
        width = self.size[1]
        return (np.arange(width) - width / 2)[None] * depths[:, None] / self.focal

    def _cut_and_project(self, points: np.ndarray, depth: np.ndarray) -> np.ndarray | None:
        if depth.min() >= NEAR:
            return self._project(points, depth)
        points = _cut(points, depth - NEAR)
        return self.project(points) if len(points) > 2 else None

    def _project(self, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
        sine, cosine = self._pitch
        down = (self.height - points[..., 1]) * cosine - points[..., 2] * sine
        x, y = points[..., 0] / depth, down / depth
        bend = 1.0 + self.lens * np.minimum(x * x + y * y, _LENS_RADIUS)
        sine, cosine = self._roll
        pixels = np.empty((*points.shape[:-1], 2))
        pixels[..., 0] = self.size[1] / 2 + self.focal * bend * (x * cosine - y * sine)
        pixels[..., 1] = self.size[0] / 2 + self.focal * bend * (x * sine + y * cosine)
        return pixels


def fixed(pixels: np.ndarray) -> np.ndarray:
    """Pixels to int32 of ``1 / 2**FIXED_BITS``, so that last-bit differences of floats never reach a picture."""
    return np.rint(np.minimum(np.maximum(pixels, -_FAR_OUT), _FAR_OUT) * (1 << FIXED_BITS)).astype(np.int32)


def roll_camera(dice: Dice, size: tuple[int, int]) -> Camera:
    """A plausible mounting: from a low car to a lorry's windscreen, straight or a little askew."""
    return Camera(
        size=size,
        focal=size[1] * dice.between(0.62, 1.05),
        height=dice.between(1.15, 1.7) if dice.chance(0.85) else dice.between(1.7, 2.5),
        pitch=dice.between(-0.05, 0.08),
        roll=dice.between(-0.03, 0.03) * dice.between(0, 1),
        lens=dice.between(-0.16, 0.03),
    )


def _cut(points: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Keep the part of a polygon where ``beyond``, linear over it, is not negative (Sutherland and Hodgman)."""
    kept = []
    for i in range(len(points)):
        here, before = beyond[i], beyond[i - 1]
        if (here >= 0) != (before >= 0):
            kept.append(points[i - 1] + (points[i] - points[i - 1]) * (before / (before - here)))
        if here >= 0:
            kept.append(points[i])
    return np.array(kept)
