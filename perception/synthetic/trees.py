"""Rows of trees, in leaf or bare."""

import math

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour, Dice, scaled
from perception.synthetic.light import Light
from perception.synthetic.road import Road
from perception.synthetic.things import FAR, Paint, Thing, clear, order_at, paint_pole

_LEAVES = ((58, 86, 38), (44, 70, 34), (84, 104, 46), (112, 98, 44), (66, 78, 52))
# Corners of a tree's outline.
_RIM = 36


def row_of_trees(dice: Dice, road: Road, side: int, nearest: float, front: float, density: float) -> list[Thing]:
    things = []
    along = dice.between(3, 20)
    leaves = dice.pick(_LEAVES)
    bare = dice.chance(0.15)
    while along < min(FAR, road.end):
        if dice.chance(density) and clear(road, along, road.walk + 2):
            offset = side * dice.between(nearest, max(nearest + 1, front))
            paint = _tree(dice, road.points(along, offset), dice.near(leaves, 10), bare)
            things.append(Thing(order_at(along, offset), along, "", paint))
        along += dice.between(3, 9) * (1 + along / 50)
    return things


def _tree(dice: Dice, foot: np.ndarray, leaves: Colour, bare: bool) -> Paint:
    tall, broad, trunk = dice.between(4, 10), dice.between(1.3, 3.2), dice.between(0.12, 0.3)
    bark = dice.near((84, 70, 56), 12)
    middle = foot + np.array([0.0, tall * 0.68, 0.0])
    angles = np.arange(_RIM) * (2 * math.pi / _RIM)
    clumps: list[tuple[np.ndarray, Colour]] = []
    for gain in (150, 190, 235, 180, 260, 210, 170) if not bare else ():
        size = broad * (1.0 if not clumps else dice.between(0.3, 0.55))
        shift = np.array([dice.between(-0.5, 0.5), dice.between(-0.4, 0.5), 0.0]) * (broad if clumps else 0.0)
        radius = size * (0.78 + 0.34 * dice.numbers(_RIM))
        rim = np.stack([np.cos(angles) * radius, np.sin(angles) * radius * min(1.6, tall / broad / 3.4), 0 * radius], 1)
        clumps.append((middle + shift + rim, scaled(leaves, gain)))
    twigs = [
        (dice.between(-1, 1) * broad, dice.between(0.6, 1.0) * tall, dice.between(0.3, 0.6) * tall) for _ in range(9)
    ]

    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        if canvas.camera.depth(foot) < 2:
            return
        paint_pole(canvas, foot, tall * 0.7, trunk, scaled(bark, light.ambient), owner)
        for x, top, low in twigs if bare else ():
            tip, root = foot + np.array([x, top, 0.0]), foot + np.array([0.0, low, 0.0])
            width = np.array([trunk * 0.3, 0.0, 0.0])
            canvas.fill_world(np.array([root - width, root + width, tip]), scaled(bark, light.ambient), owner)
        for points, colour in clumps:
            canvas.fill_world(points, scaled(colour, light.ambient + light.direct // 2), owner)

    return paint
