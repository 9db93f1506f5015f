"""Rows of buildings: walls, shop fronts and grids of windows, some of them lit by night."""

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Dice, scaled
from perception.synthetic.light import Light
from perception.synthetic.road import Road
from perception.synthetic.things import FAR, Paint, Thing, clear

_BRICK = (
    (150, 90, 72), (176, 160, 138), (120, 116, 112), (196, 190, 178), (98, 82, 74), (168, 134, 100), (86, 96, 108),
)  # fmt: skip
# Buildings stand behind everything else.
_BEHIND = 1000.0


def row_of_buildings(dice: Dice, road: Road, side: int, front: float, urban: bool) -> list[Thing]:
    things = []
    begin = dice.between(2, 14)
    while begin < min(FAR, road.end):
        long = dice.between(9, 26)
        tall = dice.between(5, 9) if dice.chance(0.4) else dice.between(8, 30)
        if clear(road, begin, road.walk + 2) and clear(road, begin + long, road.walk + 2):
            paint = _building(dice, road, side * (front + dice.between(0, 2)), side, begin, begin + long, tall)
            things.append(Thing(_BEHIND + begin, begin + long / 3, "", paint))
        begin += long + (dice.between(0, 3) if urban and dice.chance(0.7) else dice.between(4, 20))
    return things


def _building(dice: Dice, road: Road, offset: float, side: int, begin: float, end: float, tall: float) -> Paint:
    wall = dice.near(dice.pick(_BRICK), 16)
    pane = dice.near((58, 66, 76), 14)
    floors, rooms = max(1, int(tall / 3.1)), max(2, int((end - begin) / dice.between(2.0, 4.0)))
    shop = dice.near(dice.pick([(120, 40, 40), (40, 60, 110), (60, 60, 62), (150, 130, 90)]), 20)
    glowing = dice.numbers(floors, rooms) < dice.between(0.05, 0.4)
    deep, wide, high = dice.between(8, 16), dice.between(0.4, 0.7), dice.between(0.4, 0.65)
    near, far = (road.points(s, offset) for s in (begin, end))
    along = far - near
    aside = np.array([side * deep, 0.0, 0.0])
    up = np.array([0.0, tall, 0.0])
    facing = np.array([-side * 1.0, 0.0, 0.0])

    def paint(canvas: Canvas, light: Light, owner: int) -> None:
        gable, gain = light.shade(np.array([0.0, 0.0, -1.0])), light.shade(facing)
        canvas.fill_world(np.array([near, near + aside, near + aside + up, near + up]), scaled(wall, gable), owner)
        canvas.fill_world(np.array([near, far, far + up, near + up]), scaled(wall, gain), owner)
        canvas.fill_world(
            np.array([near, far, far + up * (2.6 / tall), near + up * (2.6 / tall)]), scaled(shop, gain), owner
        )
        for origin, run, count, shade in ((near, along, rooms, gain), (near, aside, max(2, rooms // 2), gable)):
            panes = _panes(origin, run, up, count, floors, wide, high)
            ahead = canvas.camera.depth(panes).min(axis=1) > 1.0
            lights = glowing[:, :count].ravel() & light.dark
            for group, colour, lit in (
                (~lights & ahead, scaled(pane, shade), False),
                (lights & ahead, (196, 156, 92), True),
            ):
                if group.any():
                    canvas.fill(canvas.camera.project(panes[group]), colour, owner, lit)

    return paint


def _panes(
    origin: np.ndarray, run: np.ndarray, up: np.ndarray, count: int, floors: int, wide: float, high: float
) -> np.ndarray:
    """A grid of windows on a wall, ``[N, 4, 3]``."""
    u = (np.arange(count) + 0.5) / count
    v = (np.arange(floors) + 0.55) / floors
    v, u = (grid.ravel() for grid in np.meshgrid(v, u, indexing="ij"))
    half_u, half_v = wide / count / 2, high / floors / 2
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    us = np.stack([u + a * half_u for a, _ in corners], 1)[..., None]
    vs = np.stack([v + b * half_v for _, b in corners], 1)[..., None]
    return origin + run * us + up * vs
