"""What stands on the ground is a thing: it knows when it is to be painted, and how."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour
from perception.synthetic.light import Light
from perception.synthetic.road import Road

# Paints a thing on a canvas as the given owner.
Paint = Callable[[Canvas, Light, int], None]
# Beyond this many metres nothing small stands beside the road.
FAR = 120.0


@dataclass(frozen=True)
class Thing:
    """Something to paint in its turn.

    Attributes:
        order: painted from the largest to the smallest: about the distance, metres.
        depth: metres to its middle.
        category: its name in BDD100K, or "" for what that data set does not name.
        paint: paints it on a canvas as the given owner.
    """

    order: float
    depth: float
    category: str
    paint: Paint


def order_at(along: float, offset: float) -> float:
    """Painting order of something at a distance and an offset: what lies closer to the own path hides what does not."""
    return along + 0.9 * abs(offset)


def clear(road: Road, along: float, margin: float) -> bool:
    """Whether something beside the road would stand clear of the crossing road."""
    junction = road.junction
    return along < road.end and (not junction or not junction.begin - margin < along < junction.end + margin)


def paint_pole(canvas: Canvas, foot: np.ndarray, tall: float, width: float, colour: Colour, owner: int) -> None:
    """An upright bar that always faces the camera; ``tall`` and ``width`` in metres."""
    across, up = np.array([width / 2, 0.0, 0.0]), np.array([0.0, tall, 0.0])
    canvas.fill_world(np.array([foot - across, foot + across, foot + across + up, foot - across + up]), colour, owner)
