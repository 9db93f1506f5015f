"""Lane markings: lines of every kind, stop lines, crossings, arrows; worn in the picture, whole in the label."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Colour, Dice
from perception.synthetic.road import START, Road
from perception.synthetic.texture import laid, noise

WHITE: Colour = (226, 226, 220)
YELLOW: Colour = (222, 168, 44)
# Lines farther away than this melt together and are neither drawn nor labelled.
_SIGHT = 85.0
_PIXELS_DRAWN = 1.5
_PIXELS_LABELLED = 3.0
_PIECE_SAMPLES = 5


@dataclass(frozen=True)
class Line:
    """One line along the road.

    Attributes:
        offset: metres right of the camera's path.
        width: metres.
        colour: of fresh paint.
        strength: 0 to 255, how much paint is left.
        dash: metres of paint and of gap, or None for a solid line.
    """

    offset: float
    width: float
    colour: Colour
    strength: int
    dash: tuple[float, float] | None


def roll_lines(dice: Dice, road: Road) -> list[Line]:
    """Lines for every lane boundary of the road."""
    width = dice.between(0.10, 0.18)
    fresh = dice.weighted({255: 0.45, 190: 0.3, 130: 0.17, 85: 0.08})
    dash = dice.pick([(3.0, 9.0), (3.0, 6.0), (2.0, 4.0), (4.0, 4.0), (1.5, 3.0)])
    lines: list[Line] = []

    def add(offset: float, colour: Colour, dashes: tuple[float, float] | None) -> None:
        strength = min(255, max(70, fresh + dice.whole(-40, 40)))
        lines.append(Line(offset, width, colour, strength, dashes))

    def double(offset: float, colour: Colour, left: tuple[float, float] | None) -> None:
        add(offset - width, colour, left)
        add(offset + width, colour, None)

    for offset in road.lanes[1:-1]:
        solid = dice.chance(0.12)
        add(offset, WHITE, None if solid else dash)
    for offset in road.oncoming[1:-1]:
        add(offset, WHITE, dash)
    if road.edge_lines:
        add(road.lanes[-1], WHITE, None)
        if not road.oncoming:
            add(road.lanes[0], dice.pick([WHITE, YELLOW]), None)
        else:
            add(road.oncoming[0], WHITE, None)
    if road.divided and road.oncoming:
        add(road.lanes[0], dice.pick([WHITE, YELLOW]), None)
        add(road.oncoming[-1], dice.pick([WHITE, YELLOW]), None)
    elif road.oncoming:
        middle = dice.weighted({"double": 0.5, "dashed": 0.2, "solid": 0.15, "mixed": 0.15})
        colour = dice.pick([YELLOW, YELLOW, WHITE]) if middle == "double" else YELLOW
        if middle in ("double", "mixed"):
            double(road.lanes[0], colour, dash if middle == "mixed" else None)
        else:
            add(road.lanes[0], colour, dash if middle == "dashed" else None)
    return lines


class Painter:
    """Paints markings on a canvas: gathers paint per colour, then lets it wear and lays it on the road."""

    def __init__(self, canvas: Canvas, road: Road, dice: Dice):
        self._canvas, self._road, self._dice = canvas, road, dice
        self._paint = {colour: np.zeros(canvas.tags.shape, np.uint8) for colour in (WHITE, YELLOW)}

    def line(self, line: Line) -> None:
        """A line from the camera to the limit of sight, interrupted by the junction."""
        end = min(_SIGHT, self._road.end)
        for begin, stop in self._stretches(end):
            if line.dash:
                on, off = line.dash
                phase = self._dice.between(0, on + off)
                starts = np.arange(begin - phase, stop, on + off)
                pieces = np.clip(np.stack([starts, starts + on], 1), begin, stop)
                pieces = pieces[pieces[:, 1] - pieces[:, 0] > 0.2]
            else:
                # Geometric knots: pieces of similar length in the picture.
                knots = begin * (stop / begin) ** (np.arange(9) / 8)
                pieces = np.stack([knots[:-1], knots[1:]], 1)
            if len(pieces):
                self._ribbons(pieces, line.offset, line.width, line.colour, line.strength)

    def across(self, distance: float, depth: float, left: float, right: float, strength: int) -> None:
        """A bar across the road, such as a stop line, ``depth`` metres deep."""
        self._shape(self._road.strip(left, right, distance, distance + depth), strength)

    def zebra(self, distance: float, strength: int) -> None:
        """A pedestrian crossing of bars along the road."""
        left, right = self._road.edges
        for offset in np.arange(left + 0.4, right - 0.5, 1.1):
            self._shape(self._road.strip(offset, offset + 0.55, distance, distance + 3.0), strength, label=False)

    def arrow(self, distance: float, offset: float, strength: int) -> None:
        """An arrow straight ahead in the middle of a lane."""
        shape = np.array([(-0.09, 0), (0.09, 0), (0.09, 2.2), (0.35, 2.2), (0, 4.2), (-0.35, 2.2), (-0.09, 2.2)])
        self._shape(self._road.points(distance + shape[:, 1], offset + shape[:, 0]), strength, label=False)

    def finish(self, depths: np.ndarray) -> None:
        """Wear the paint and lay it on the picture. ``depths`` ``[H]`` are metres to the ground by row."""
        across = self._canvas.camera.across(depths)
        for colour, paint in self._paint.items():
            rows = np.flatnonzero(paint.any(axis=1))
            if not len(rows):
                continue
            part = slice(rows[0], rows[-1] + 1)
            crumbs = laid(noise(3), across[part], depths[part, None], 0.06).astype(np.int32)
            strength = paint[part].astype(np.int32)
            # Fresh paint (255) covers evenly; the weaker it is, the more of it is gone in flakes.
            left = np.clip(strength * 3 // 2 - (255 - strength) * crumbs // 160, strength // 5, strength)
            worn = np.zeros_like(paint)
            worn[part] = left * 236 >> 8
            self._canvas.blend(worn, colour)

    def _stretches(self, end: float) -> list[tuple[float, float]]:
        junction = self._road.junction
        if not junction:
            return [(START, end)]
        margin = self._road.walk + 1.0
        stretches = [(START, junction.begin - margin), (junction.end + margin, end)]
        return [(begin, stop) for begin, stop in stretches if stop - begin > 1.0]

    def _ribbons(self, pieces: np.ndarray, offset: float, width: float, colour: Colour, strength: int) -> None:
        along = pieces[:, :1] + (pieces[:, 1:] - pieces[:, :1]) * (np.arange(_PIECE_SAMPLES) / (_PIECE_SAMPLES - 1))
        drawn = (_PIXELS_DRAWN, self._paint[colour], strength)
        labelled = (_PIXELS_LABELLED, self._canvas.lane, 255)
        for pixels, plane, value in (drawn, labelled):
            least = pixels * self._canvas.tags.shape[0] / 384
            half = np.maximum(width, least / self._canvas.camera.pixels_per_metre(along)) / 2
            sides = [self._road.points(along, offset - half), self._road.points(along, offset + half)[:, ::-1]]
            outlines = self._canvas.camera.project(np.concatenate(sides, axis=1))
            self._canvas.mask(plane, outlines, value)

    def _shape(self, outline: np.ndarray, strength: int, label: bool = True) -> None:
        pixels = self._canvas.camera.project(outline)
        self._canvas.mask(self._paint[WHITE], [pixels], strength)
        if label:
            self._canvas.mask(self._canvas.lane, [pixels])


def paint_markings(canvas: Canvas, road: Road, dice: Dice, depths: np.ndarray) -> None:
    """Lines, and at junctions what belongs there; and the lane label."""
    painter = Painter(canvas, road, dice)
    for line in roll_lines(dice, road):
        painter.line(line)
    strength = dice.whole(110, 255)
    left, right = road.lanes[0], road.lanes[-1]
    if road.junction and dice.chance(0.8):
        stop = road.junction.begin - road.walk - 1.0
        if dice.chance(0.6):
            painter.zebra(stop - 2.2, strength)
            stop -= 3.6
        if stop > 4:
            painter.across(stop, dice.between(0.3, 0.6), left + 0.2, right - 0.2, strength)
    elif dice.chance(0.06):
        painter.zebra(dice.between(10, 35), strength)
    if dice.chance(0.15):
        middles = [(a + b) / 2 for a, b in pairwise(road.lanes)]
        distance = dice.between(6, 25)
        for middle in middles:
            painter.arrow(distance, middle, strength)
    painter.finish(depths)
