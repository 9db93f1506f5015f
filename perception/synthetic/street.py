"""What stands at the kerb: lamps, signs, signals, people, crash barriers, and boxes somewhat like vehicles."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour, Dice, scaled
from perception.synthetic.light import Light
from perception.synthetic.road import Road
from perception.synthetic.solids import Block, Patch, Pose, paint_block
from perception.synthetic.things import FAR, Paint, Thing, clear, order_at, paint_pole

_BOARDS = ((190, 40, 40), (220, 220, 214), (40, 90, 170), (230, 190, 50), (30, 120, 70))
_STATES = ((255, 60, 40), (70, 250, 130), (255, 190, 60))
# Of legs, coats and skin.
_CLOTHES: tuple[tuple[Colour, ...], ...] = (
    ((50, 54, 76), (40, 40, 44), (120, 110, 96)),
    ((150, 40, 40), (50, 70, 120), (40, 42, 44), (190, 186, 176), (196, 170, 60), (70, 100, 76)),
    ((196, 156, 128), (122, 88, 66)),
)


def along_the_kerb(dice: Dice, road: Road, side: int, edge: float, urban: bool) -> list[Thing]:
    """Street furniture and people on one side (-1 left, 1 right) of asphalt that ends ``edge`` metres away."""
    things = []

    def add(along: float, beyond: float, category: str, make: Callable[..., Paint], *details: Any) -> None:
        offset = side * (edge + beyond)
        if clear(road, along, 1.0):
            paint = make(road.points(along, offset), *details)
            things.append(Thing(order_at(along, offset), along, category, paint))

    if dice.chance(0.7):
        step, arm, tall = dice.between(18, 34), dice.between(1.0, 2.6) * -side, dice.between(6, 9)
        for along in np.arange(dice.between(5, 20), min(FAR, road.end), step).tolist():
            add(along, 0.5, "", _lamp, tall, arm)
    for _ in range(dice.whole(0, 2)):
        board, size = dice.near(dice.pick(_BOARDS), 12), dice.between(0.25, 0.6)
        add(dice.between(6, 60), 0.6, "traffic sign", _sign, board, size)
    if road.junction:
        add(road.junction.begin - road.walk - 1.5, 0.5, "traffic light", _signal, dice.pick(_STATES))
    for _ in range(dice.whole(0, 4) if urban else 0):
        clothes = [dice.near(dice.pick(colours), 20) for colours in _CLOTHES]
        add(dice.between(6, 50), dice.between(0.3, max(0.5, road.walk)), "pedestrian", _person, *clothes)
    for _ in range(dice.whole(0, 2)):
        block = _box(dice)
        add(dice.between(9, 60), dice.between(1.6, 5), "", _solid, block)
    if not urban and dice.chance(0.5):
        things += _rail(dice, road, side, edge + 0.7)
    return things


def _lamp(foot: np.ndarray, tall: float, arm: float) -> Paint:
    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        grey = scaled((112, 114, 116), light.ambient)
        paint_pole(canvas, foot, tall, 0.14, grey, owner)
        head = foot + np.array([arm, tall, 0.0])
        bar = np.array([foot + np.array([0, tall - 0.1, 0]), foot + np.array([0, tall + 0.06, 0]), head])
        canvas.fill_world(bar, grey, owner)
        bulb = head + np.array([(-0.3, -0.06, 0), (0.3, -0.06, 0), (0.3, 0.08, 0), (-0.3, 0.08, 0)])
        canvas.fill_world(bulb, (255, 226, 170) if light.dark else grey, owner, light.dark)
        depth = float(canvas.camera.depth(head))
        if light.dark and depth > 3:
            canvas.glow(canvas.camera.project(head), owner, (255, 206, 140), 1.6 * canvas.camera.focal / depth)

    return paint


def _sign(foot: np.ndarray, board: Colour, size: float) -> Paint:
    """A round or square board with a rim and a bar or two."""
    corners = 4 if board[0] < 100 or size > 0.45 else 14
    angles = [2 * math.pi * (i + 0.5 * (corners == 4)) / corners for i in range(corners)]
    rim = np.array([(math.cos(a) * size, math.sin(a) * size, 0.0) for a in angles])
    bar = np.array([(-0.5, -0.1, 0), (0.5, -0.1, 0), (0.5, 0.1, 0), (-0.5, 0.1, 0)]) * size

    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        middle = foot + np.array([0, 2.4, 0])
        paint_pole(canvas, foot, 2.4, 0.07, scaled((130, 130, 130), light.ambient), owner)
        white = scaled((222, 222, 218), light.ambient)
        canvas.fill_world(middle + rim, white, owner)
        canvas.fill_world(middle + rim * 0.88, scaled(board, light.ambient), owner)
        for up in (0.0, 0.3) if corners == 4 else (0.0,):
            canvas.fill_world(middle + bar + np.array([0, up * size, 0]), white, owner)

    return paint


def _signal(foot: np.ndarray, state: Colour) -> Paint:
    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        paint_pole(canvas, foot, 3.0, 0.12, scaled((60, 62, 60), light.ambient), owner)
        paint_pole(canvas, foot + np.array([0, 2.5, 0]), 1.0, 0.4, (28, 30, 28), owner)
        lens = foot + np.array([(-0.12, 3.1, 0), (0.12, 3.1, 0), (0.12, 3.34, 0), (-0.12, 3.34, 0)])
        canvas.fill_world(lens, state, owner, True)
        canvas.glow(
            canvas.camera.project(lens.mean(axis=0)), owner, state, 0.5 * canvas.camera.focal / max(3.0, float(foot[2]))
        )

    return paint


def _person(foot: np.ndarray, legs: Colour, coat: Colour, skin: Colour) -> Paint:
    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        for x in (-0.1, 0.12):
            paint_pole(canvas, foot + np.array([x, 0, 0]), 0.85, 0.15, scaled(legs, light.ambient), owner)
        paint_pole(canvas, foot + np.array([0, 0.8, 0]), 0.62, 0.46, scaled(coat, light.ambient), owner)
        head = [(0.13 * math.cos(i * math.pi / 5), 1.57 + 0.16 * math.sin(i * math.pi / 5), 0) for i in range(10)]
        canvas.fill_world(foot + np.array(head), scaled(skin, light.ambient), owner)

    return paint


def _box(dice: Dice) -> Block:
    """A container, kiosk, shelter or cabinet: of a vehicle's size, with panes or red spots, but without wheels."""
    colour = dice.near(dice.pick([(170, 70, 40), (50, 96, 130), (80, 110, 70), (170, 168, 160), (90, 92, 94)]), 16)
    kind = dice.pick(["container", "kiosk", "shelter", "cabinet"])
    dark = scaled(colour, 190)
    ribs = tuple(Patch((i / 10 + 0.03, 0.04, i / 10 + 0.06, 0.96), dark) for i in range(10))
    if kind == "container":
        faces = dict.fromkeys(("left", "right", "rear"), ribs)
        return Block((-3, 3), (-3, 3), (0, 2.6), (2.4, 2.4), colour, faces)
    if kind == "kiosk":
        faces = dict.fromkeys(
            ("left", "right", "rear"),
            (Patch((0.1, 0.4, 0.9, 0.85), (60, 66, 74)), Patch((0.05, 0.1, 0.2, 0.2), (180, 40, 36))),
        )
        return Block((-1.2, 1.2), (-1.2, 1.2), (0, 2.4), (2.2, 2.2), colour, faces)
    if kind == "shelter":
        faces = dict.fromkeys(("left", "right", "rear"), (Patch((0.05, 0.12, 0.95, 0.9), (104, 116, 122)),))
        return Block((-2, 2), (-2, 2), (0, 2.4), (1.4, 1.5), dark, faces)
    return Block((-0.5, 0.5), (-0.5, 0.5), (0, 1.3), (1.1, 1.1), colour, {"rear": (Patch((0.48, 0, 0.52, 1), dark),)})


def _solid(foot: np.ndarray, block: Block) -> Paint:
    return lambda canvas, light, owner: paint_block(canvas, light, Pose(foot, 0.0), block, owner, True)


def _rail(dice: Dice, road: Road, side: int, offset: float) -> list[Thing]:
    """A crash barrier in pieces, so that it lies between what is before and behind it."""
    colour, tall = dice.pick([((168, 170, 172), 0.3), ((156, 152, 146), 0.8)])
    things = []
    knots = np.geomspace(3.0, min(FAR, road.end), 9)
    for begin, end in pairwise(knots.tolist()):
        if not (clear(road, begin, 1) and clear(road, end, 1)):
            continue
        along = np.linspace(begin, end, 5)
        top = road.points(along, side * offset, 0.78)
        low = road.points(along[::-1], side * offset, 0.78 - tall)
        outline = np.concatenate([top, low])

        def paint(canvas: Canvas, light: Light, owner: int, outline: np.ndarray = outline) -> None:
            canvas.fill_world(outline, scaled(colour, light.shade(np.array([-side * 1.0, 0, 0]))), owner)

        things.append(Thing(order_at(float(begin), side * offset), float(begin), "", paint))
    return things
