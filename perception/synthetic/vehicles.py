"""Vehicles: stacked solids on wheels, painted and casting shadows. Their kinds are in ``kinds.py``."""

import math
from dataclasses import dataclass

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour, scaled
from perception.synthetic.light import Light
from perception.synthetic.solids import Block, Pose, paint_block

_RUBBER: Colour = (26, 26, 28)
# Below this size in the picture, details melt into the body.
_FINE_PIXELS = 11.0


@dataclass(frozen=True)
class Vehicle:
    """A vehicle, apart from where it stands.

    Attributes:
        category: its name in BDD100K: car, bus or truck.
        blocks: its solids.
        wheels: z and radius of each axle's wheels, metres.
        track: distance between the outsides of the wheels.
        length: metres from end to end, the origin in the middle.
        width: metres.
        height: metres.
    """

    category: str
    blocks: tuple[Block, ...]
    wheels: tuple[tuple[float, float], ...]
    track: float
    length: float
    width: float
    height: float


def paint_vehicle(canvas: Canvas, light: Light, vehicle: Vehicle, pose: Pose, owner: int) -> None:
    """Paint a vehicle: tyres, then its blocks far to near and bottom to top, then the wheels on the side in view."""
    eye = pose.to_solid(np.array([0.0, canvas.camera.height, 0.0]))
    distance = max(1.0, float(canvas.camera.depth(pose.origin[None])[0]))
    fine = vehicle.height * canvas.camera.focal / distance > _FINE_PIXELS * canvas.tags.shape[0] / 384
    _paint_tyres(canvas, light, vehicle, pose, owner)
    order = sorted(vehicle.blocks, key=lambda b: (b.level, -abs(sum(b.bottom) / 2 - float(eye[2]))))
    for block in order:
        paint_block(canvas, light, pose, block, owner, fine)
    for side in (-1, 1):
        if float(eye[0]) * side > vehicle.track / 2:
            _paint_wheels(canvas, light, vehicle, pose, owner, side, fine)


def footprint(vehicle: Vehicle, pose: Pose, light: Light) -> list[np.ndarray]:
    """World polygons of the ground that the vehicle darkens: under it, and where it keeps the sun away."""
    half, end = vehicle.width / 2, vehicle.length / 2
    base = np.array([(-half, 0, -end), (half, 0, -end), (half, 0, end), (-half, 0, end)])
    under = pose.to_world(base * 1.06)
    if light.direct < 60:
        return [under]
    run = min(vehicle.height / max(light.sun[1], 0.3), 4.0)
    away = np.array([-light.sun[0] * run, 0.0, -light.sun[2] * run])
    cast = pose.to_world(base * np.array([0.94, 1, 0.9]))
    return [under, _hull(np.concatenate([cast, cast + away]))]


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull on the ground of ``[N, 3]``, by Andrew's monotone chain."""
    order = points[np.lexsort((points[:, 2], points[:, 0]))]
    chains = []
    for ordered in (order, order[::-1]):
        chain: list[np.ndarray] = []
        for point in ordered:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        chains += chain[:-1]
    return np.array(chains)


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[0] - a[0]))


def _paint_tyres(canvas: Canvas, light: Light, vehicle: Vehicle, pose: Pose, owner: int) -> None:
    for z, radius in vehicle.wheels:
        for side in (-1, 1):
            outer = side * (vehicle.track / 2 - 0.02)
            left, right = sorted((outer, outer - side * 0.24))
            quad = np.array([(left, 0, z), (right, 0, z), (right, radius * 1.6, z), (left, radius * 1.6, z)])
            canvas.fill_world(pose.to_world(quad), scaled(_RUBBER, light.ambient), owner)


def _paint_wheels(
    canvas: Canvas, light: Light, vehicle: Vehicle, pose: Pose, owner: int, side: int, fine: bool
) -> None:
    angles = [2 * math.pi * i / 14 for i in range(14)]
    circle = np.array([(0.0, math.sin(a), math.cos(a)) for a in angles])
    x = side * (vehicle.track / 2 + 0.01)
    for z, radius in vehicle.wheels:
        centre = np.array([x, radius, z])
        rims = ((1.12, (16, 16, 18)), (0.97, _RUBBER), (0.62, (138, 140, 144)), (0.22, (60, 60, 64)))
        for share, colour in rims if fine else rims[1:2]:
            canvas.fill_world(pose.to_world(centre + circle * (radius * share)), scaled(colour, light.ambient), owner)
