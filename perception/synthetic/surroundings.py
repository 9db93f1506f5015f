"""All that the road runs through: the far backdrop and what stands on both sides."""

import numpy as np

from perception.synthetic.buildings import row_of_buildings
from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Dice, scaled
from perception.synthetic.light import Light
from perception.synthetic.road import Road
from perception.synthetic.street import along_the_kerb
from perception.synthetic.things import Thing
from perception.synthetic.trees import row_of_trees


def paint_backdrop(canvas: Canvas, dice: Dice, light: Light, urban: bool, horizon: float) -> None:
    """Hills, woods or a skyline where the land ends."""
    height, width = canvas.tags.shape
    owner = canvas.new_owner(dice.between(140, 250))
    base = dice.near((96, 100, 108) if urban else dice.pick([(70, 86, 60), (90, 104, 110)]), 12)
    for layer in range(dice.whole(1, 2)):
        steps = 28 if urban else 60
        across = np.linspace(-0.05 * width, 1.05 * width, steps)
        tall = dice.numbers(steps) * height * (0.14 if urban else 0.05) / (layer + 1) + height * 0.01
        if urban:
            across, tall = np.repeat(across, 2)[1:], np.repeat(tall, 2)[:-1]
        else:
            tall = tall + height * 0.03 * (1 + np.cos(across / width * 5 + dice.between(0, 6)))
        top = np.stack([across, horizon - tall], 1)
        foot = np.array([(across[-1], horizon + 0.1 * height), (across[0], horizon + 0.1 * height)])
        canvas.fill(np.concatenate([top, foot]), scaled(base, light.ambient - 30 * layer), owner)


def roll_things(dice: Dice, road: Road, urban: bool) -> list[Thing]:
    """All that stands along both sides of the road."""
    things: list[Thing] = []
    woods = dice.between(0.2, 0.9)
    for side in (-1, 1):
        edge = abs(road.edges[0] if side < 0 else road.edges[1])
        front = edge + road.walk + (dice.between(0.3, 5) if urban else dice.between(8, 25))
        if dice.chance(0.85 if urban else 0.25):
            things += row_of_buildings(dice, road, side, front, urban)
        things += row_of_trees(
            dice, road, side, edge + max(0.8, road.walk * 0.6), front, woods if not urban else woods / 2
        )
        things += along_the_kerb(dice, road, side, edge, urban)
    return things
