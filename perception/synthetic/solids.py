"""Frusta with patches on their faces: what vehicles and boxes are made of, and how they are painted."""

import math
from dataclasses import dataclass, field

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour, scaled
from perception.synthetic.light import Light

# Corner numbers of each face, seen from outside: bottom left, bottom right, top right, top left.
# Corners: bottom 0 rear left, 1 rear right, 2 front right, 3 front left; top the same plus 4.
FACES = {
    "rear": (0, 1, 5, 4),
    "front": (2, 3, 7, 6),
    "left": (3, 0, 4, 7),
    "right": (1, 2, 6, 5),
    "top": (4, 5, 6, 7),
}


@dataclass(frozen=True)
class Patch:
    """A rectangle on a face: ``area`` is u0, v0, u1, v1 as shares of its width and height, from the bottom left.

    ``lit`` patches shine by themselves; ``halo`` is the radius in metres of the glow around them.
    """

    area: tuple[float, float, float, float]
    colour: Colour
    lit: bool = False
    halo: float = 0.0


@dataclass(frozen=True)
class Block:
    """A box whose top may be smaller and shifted. Metres; z runs forward, y up.

    Attributes:
        bottom: z of rear and front at the bottom.
        top: z of rear and front at the top.
        heights: y of bottom and top.
        widths: full width at the bottom and at the top.
        colour: of its faces.
        patches: what is on them, by face, painted in order.
        level: blocks of a higher level stand on those of a lower one.
    """

    bottom: tuple[float, float]
    top: tuple[float, float]
    heights: tuple[float, float]
    widths: tuple[float, float]
    colour: Colour
    patches: dict[str, tuple[Patch, ...]] = field(default_factory=dict)
    level: int = 0

    def corners(self) -> np.ndarray:
        """The eight corners, ``[8, 3]`` as x, y, z."""
        rows = []
        for (rear, front), y, width in zip((self.bottom, self.top), self.heights, self.widths, strict=True):
            half = width / 2
            rows += [(-half, y, rear), (half, y, rear), (half, y, front), (-half, y, front)]
        return np.array(rows)


@dataclass(frozen=True)
class Pose:
    """Where a solid stands: origin in the world, and yaw, radians to the right of straight ahead."""

    origin: np.ndarray
    yaw: float

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points ``[..., 3]`` of the solid to the world."""
        return points @ self._turn() + self.origin

    def to_solid(self, point: np.ndarray) -> np.ndarray:
        """One world point ``[3]`` seen from the solid."""
        return self._turn() @ (point - self.origin)

    def normal_to_world(self, normal: np.ndarray) -> np.ndarray:
        """A direction ``[3]`` of the solid in the world."""
        return normal @ self._turn()

    def _turn(self) -> np.ndarray:
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        return np.array([[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]])


def paint_block(canvas: Canvas, light: Light, pose: Pose, block: Block, owner: int, fine: bool) -> None:
    """Paint the faces of a block that look at the camera; ``fine`` adds its patches that do not shine."""
    eye = pose.to_solid(np.array([0.0, canvas.camera.height, 0.0]))
    corners = block.corners()
    quads, looks = [], []
    for face, numbers in FACES.items():
        quad = corners[list(numbers)]
        normal = _normal(quad)
        if float(((eye - quad[0]) * normal).sum()) <= 0:
            continue
        shade = light.shade(pose.normal_to_world(normal))
        quads.append(quad)
        looks.append((scaled(block.colour, shade), False, 0.0))
        for patch in block.patches.get(face, ()):
            if fine or patch.lit:
                quads.append(_place(patch.area, quad))
                looks.append((patch.colour if patch.lit else scaled(patch.colour, shade), patch.lit, patch.halo))
    if not quads:
        return
    points = pose.to_world(np.array(quads))
    for pixels, spot, (colour, lit, halo) in zip(canvas.camera.polygons(points), points, looks, strict=True):
        if pixels is not None:
            canvas.fill(pixels, colour, owner, lit)
        if halo:
            _add_halo(canvas, spot.mean(axis=0), owner, colour, halo)


def _place(area: tuple[float, float, float, float], quad: np.ndarray) -> np.ndarray:
    """The corners ``[4, 3]`` of a part of a face."""
    u0, v0, u1, v1 = area
    shares = np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)])
    u, v = shares[:, :1], shares[:, 1:]
    return (quad[0] * (1 - u) + quad[1] * u) * (1 - v) + (quad[3] * (1 - u) + quad[2] * u) * v


def _add_halo(canvas: Canvas, centre: np.ndarray, owner: int, colour: Colour, halo: float) -> None:
    depth = float(canvas.camera.depth(centre))
    if depth > 1.0:
        canvas.glow(canvas.camera.project(centre), owner, colour, halo * canvas.camera.focal / (depth + 4.0))


def _normal(quad: np.ndarray) -> np.ndarray:
    """The unit normal that points out of a face."""
    a, b = quad[1] - quad[0], quad[3] - quad[0]
    normal = np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    # Corners run anticlockwise seen from outside, in axes of which z points away: the cross product points inwards.
    return -normal / math.sqrt(float((normal * normal).sum()))
