"""The picture while it is painted, back to front, with the owner of every pixel beside it."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from perception.synthetic.camera import FIXED_BITS, Camera, fixed
from perception.synthetic.dice import Colour

# Owners that are not objects; objects are numbered from FIRST_OBJECT.
SKY, GROUND, PAVEMENT, ASPHALT = range(4)
FIRST_OBJECT = 4
DEPTH_STEPS = 16
FARTHEST = 255.0


@dataclass(frozen=True)
class Glow:
    """A lamp that is on: where it is (pixels), who carries it, its colour and the radius of its halo in pixels."""

    x: int
    y: int
    owner: int
    colour: Colour
    radius: int


class Canvas:
    """Planes of one size that grow together.

    Attributes:
        image: uint8 ``[H, W, 3]`` RGB, colours as in white light.
        tags: int32 ``[H, W]``, twice the owner's number, plus one where the pixel shines by itself.
        drivable: uint8 ``[H, W]``, 128 and more where one may drive, not yet cut by objects.
        lane: uint8 ``[H, W]``, 128 and more where a line is, likewise.
        depths: metres to each owner; of ground the depth is by row.
        glows: the lamps that are on.
    """

    def __init__(self, camera: Camera):
        height, width = camera.size
        self.camera = camera
        self.image = np.zeros((height, width, 3), np.uint8)
        self.tags = np.zeros((height, width), np.int32)
        self.drivable = np.zeros((height, width), np.uint8)
        self.lane = np.zeros((height, width), np.uint8)
        self.depths = [FARTHEST] * FIRST_OBJECT
        self.glows: list[Glow] = []

    @property
    def owners(self) -> np.ndarray:
        """int32 ``[H, W]``: the number of whoever is seen at each pixel."""
        return self.tags >> 1

    def new_owner(self, depth: float) -> int:
        """A number for a new object, ``depth`` metres away."""
        self.depths.append(depth)
        return len(self.depths) - 1

    def fill(self, pixels: np.ndarray, colour: Colour, owner: int, lit: bool = False) -> None:
        """Paint polygons: pixels ``[M, 2]`` for one or ``[N, M, 2]`` for N that do not overlap."""
        corners = fixed(pixels)
        polygons = [corners] if corners.ndim == 2 else list(corners)
        cv2.fillPoly(self.image, polygons, colour, cv2.LINE_AA, FIXED_BITS)
        for polygon in polygons:
            self._claim(polygon, owner << 1 | lit)

    def fill_world(self, points: np.ndarray, colour: Colour, owner: int, lit: bool = False) -> None:
        """Paint one polygon of the world, ``[M, 3]``."""
        pixels = self.camera.polygon(points)
        if pixels is not None:
            self.fill(pixels, colour, owner, lit)

    def blend(self, alpha: np.ndarray, colour: Colour) -> None:
        """Lay a colour over the picture, ``alpha`` uint8 ``[H, W]``; touches only the rows where it is not zero."""
        rows = np.flatnonzero(alpha.any(axis=1))
        if not len(rows):
            return
        part = slice(rows[0], rows[-1] + 1)
        weight = alpha[part].astype(np.uint16)[..., None]
        self.image[part] = (self.image[part] * (256 - weight) + np.array(colour, np.uint16) * weight) >> 8

    def mask(self, plane: np.ndarray, polygons: Iterable[np.ndarray], value: int = 255) -> None:
        """Fill pixel polygons ``[M, 2]`` into a uint8 plane, edges in between; 128 and more count as inside."""
        for polygon in polygons:
            cv2.fillPoly(plane, [fixed(polygon)], value, cv2.LINE_AA, FIXED_BITS)

    def _claim(self, polygon: np.ndarray, tag: int) -> None:
        """Mark a polygon of fixed-point corners as someone's.

        ``cv2.fillPoly`` without smoothing fills other pixels in OpenCV 4 than in 5; smoothed, or where the polygon is
        convex, all versions agree.
        """
        if cv2.isContourConvex(polygon):
            cv2.fillConvexPoly(self.tags, polygon, tag, cv2.LINE_8, FIXED_BITS)
            return
        one = 1 << FIXED_BITS
        left, top = np.maximum(polygon.min(axis=0) // one, 0).tolist()
        right, bottom = (polygon.max(axis=0) // one + 2).tolist()
        window = self.tags[top : max(bottom, top), left : max(right, left)]
        if window.size:
            inside = np.zeros(window.shape, np.uint8)
            offset = np.array([left * one, top * one], np.int32)
            cv2.fillPoly(inside, [polygon - offset], 255, cv2.LINE_AA, FIXED_BITS)
            window[inside > 127] = tag

    def glow(self, pixel: np.ndarray, owner: int, colour: Colour, radius: float) -> None:
        """Remember a lamp whose halo is to be added once the scene is lit."""
        x, y = round(float(pixel[0])), round(float(pixel[1]))
        if 0 <= x < self.tags.shape[1] and 0 <= y < self.tags.shape[0]:
            self.glows.append(Glow(x, y, owner, colour, max(2, int(radius))))
