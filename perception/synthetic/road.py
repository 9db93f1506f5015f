"""The road: its course over distance, its lanes, and the ground it lies on."""

import math
from dataclasses import dataclass, replace

import numpy as np

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import ASPHALT, FARTHEST, GROUND, PAVEMENT, Canvas
from perception.synthetic.dice import Colour, Dice, scaled

Metres = np.ndarray | float

# Distances of the nearest and the farthest ground that is drawn, and half its width.
START = 1.4
_REACH = 170.0
_WIDE = 150.0
# Samples of a strip over that range, spaced geometrically.
_SAMPLES = 64
_LOG_RANGE = 4.8


@dataclass(frozen=True)
class Junction:
    """A crossing road between two distances, in metres."""

    begin: float
    end: float


@dataclass(frozen=True)
class Road:
    """A course and a cross-section. Offsets are metres to the right of the camera's own path.

    Attributes:
        heading: sideways metres per metre at the camera.
        bend: curvature at the camera, 1/m.
        twist: change of curvature per metre.
        rise: vertical curvature, 1/m; negative makes a crest.
        end: distance of the farthest road in sight.
        lanes: offsets of the boundaries of the lanes in the own direction, left to right.
        oncoming: offsets of the boundaries of the opposite lanes, left to right; empty on one-way roads.
        edges: offsets where asphalt ends, left and right.
        drivable: offsets between which the own vehicle may drive.
        walk: width of the pavement on either side, 0 for none.
        junction: the crossing road, or None.
        divided: a kerbed island lies between the directions.
        edge_lines: the outer lanes are bounded by a line, not only by the end of the asphalt.
    """

    heading: float
    bend: float
    twist: float
    rise: float
    end: float
    lanes: tuple[float, ...]
    oncoming: tuple[float, ...]
    edges: tuple[float, float]
    drivable: tuple[float, float]
    walk: float
    junction: Junction | None
    divided: bool
    edge_lines: bool

    def points(self, along: Metres, offset: Metres, height: Metres = 0.0) -> np.ndarray:
        """World points ``[..., 3]`` at distances ``along``, ``offset`` to the right, ``height`` above the road."""
        along, offset, height = np.broadcast_arrays(np.asarray(along, float), offset, height)
        points = np.empty((*along.shape, 3))
        points[..., 0] = along * (self.heading + along * (self.bend / 2 + along * self.twist / 6)) + offset
        points[..., 1] = along * along * (self.rise / 2) + height
        points[..., 2] = along
        return points

    def yaw(self, along: float) -> float:
        """Radians that the road points to the right at a distance."""
        return math.atan(self.heading + along * (self.bend + along * self.twist / 2))

    def strip(self, left: float, right: float, begin: float = START, end: float = _REACH) -> np.ndarray:
        """The outline ``[M, 3]`` of a band of ground between two offsets and two distances."""
        end = min(end, self.end)
        count = max(2, int(_SAMPLES * math.log(max(end / begin, 1.01)) / _LOG_RANGE))
        along = begin * (end / begin) ** (np.arange(count + 1) / count)
        return np.concatenate([self.points(along, left), self.points(along[::-1], right)])


@dataclass(frozen=True)
class Surface:
    """Colours of the ground in white light."""

    asphalt: Colour
    verge: Colour
    pavement: Colour
    kerb: Colour


def roll_road(dice: Dice, camera: Camera, urban: bool) -> Road:
    """A road: straight, bending or cresting, one to four lanes in each direction."""
    sharp = dice.between(-1, 1)
    bend = sharp * abs(sharp) * (0.010 if urban else 0.007)
    rise = dice.between(-0.0009, 0.0007) if dice.chance(0.6) else 0.0
    width = dice.between(2.9, 3.7)
    count = dice.weighted({1: 0.36, 2: 0.34, 3: 0.2, 4: 0.1})
    own = dice.whole(0, count - 1)
    stray = dice.between(-0.5, 0.5)
    lanes = tuple(stray + width * (i - own - 0.5) for i in range(count + 1))
    divided = dice.chance(0.35 if count > 1 else 0.05)
    gap = dice.between(0.8, 4.0) if divided else 0.0
    opposite = max(1, count + dice.whole(-1, 1)) if dice.chance(0.75) else 0
    oncoming = tuple(lanes[0] - gap - width * i for i in range(opposite, -1, -1)) if opposite else ()
    shoulder = dice.between(0.25, 0.7) if dice.chance(0.45) else dice.between(2.1, 2.6)
    left = (oncoming[0] if oncoming else lanes[0]) - dice.between(0.25, 2.4)
    right = lanes[-1] + shoulder
    edge_lines = dice.chance(0.85)
    junction = None
    if dice.chance(0.4 if urban else 0.1) and abs(bend) < 0.004:
        begin = dice.between(9, 55)
        junction = Junction(begin, begin + dice.between(7, 15))
    road = Road(
        heading=dice.between(-0.05, 0.05),
        bend=bend,
        twist=-bend * dice.between(-0.002, 0.012),
        rise=rise,
        end=_REACH,
        lanes=lanes,
        oncoming=oncoming,
        edges=(left, right),
        drivable=(lanes[0] if oncoming or edge_lines else left, lanes[-1] if edge_lines else right),
        walk=dice.between(1.5, 4.0) if urban or dice.chance(0.15) else 0.0,
        junction=junction,
        divided=divided,
        edge_lines=edge_lines,
    )
    return _until_crest(road, camera)


def _until_crest(road: Road, camera: Camera) -> Road:
    """Shorten the road to where it falls out of sight."""
    along = np.linspace(START, _REACH, 200)
    # Without roll: rows then fall with distance as long as the road is in sight.
    level = Camera(camera.size, camera.focal, camera.height, camera.pitch, 0.0, 0.0)
    rows = level.project(road.points(along, 0.0) * np.array([0.0, 1.0, 1.0]))[:, 1]
    hidden = np.flatnonzero(np.diff(rows) >= -0.02)
    end = float(along[hidden[0] + 1]) if len(hidden) else _REACH
    junction = road.junction if road.junction and road.junction.end < 0.8 * end else None
    return replace(road, end=end, junction=junction)


def depth_by_row(road: Road, camera: Camera) -> np.ndarray:
    """Metres to the ground for each picture row ``[H]``, ``FARTHEST`` above the horizon."""
    along = np.geomspace(START, road.end, 120)
    rows = camera.project(road.points(along, 0.0))[:, 1][::-1]
    rows = np.maximum.accumulate(rows)
    depths = np.interp(np.arange(camera.size[0]), rows, along[::-1], left=FARTHEST)
    return np.round(depths, 3)


def paint_ground(canvas: Canvas, road: Road, surface: Surface) -> None:
    """Verge, pavements, kerbs, asphalt, the crossing road and the island; and the drivable label."""
    left, right = road.edges
    canvas.fill_world(road.strip(-_WIDE, _WIDE), surface.verge, GROUND)
    if road.walk:
        canvas.fill_world(road.strip(left - road.walk, right + road.walk), surface.pavement, PAVEMENT)
    canvas.fill_world(road.strip(left - 0.18, right + 0.18), surface.kerb, PAVEMENT)
    canvas.fill_world(road.strip(left, right), surface.asphalt, ASPHALT)
    spans = [(START, road.end)]
    labels = [(*road.drivable, START, road.end)]
    if road.junction:
        begin, end = road.junction.begin, road.junction.end
        if road.walk:
            canvas.fill_world(road.strip(-_WIDE, _WIDE, begin - road.walk, end + road.walk), surface.pavement, PAVEMENT)
            canvas.fill_world(
                road.strip(left, right, begin - road.walk - 1, end + road.walk + 1), surface.asphalt, ASPHALT
            )
        canvas.fill_world(road.strip(-_WIDE, _WIDE, begin, end), surface.asphalt, ASPHALT)
        spans = [(START, begin), (end, road.end)]
        whole = (road.oncoming[0] if road.oncoming else road.lanes[0], road.lanes[-1])
        labels.append((*whole, begin, end))
    for outline in labels:
        canvas.mask(canvas.drivable, [canvas.camera.project(road.strip(*outline))])
    if road.divided and road.oncoming:
        inner, outer = road.oncoming[-1] + 0.15, road.lanes[0] - 0.15
        for begin, end in spans:
            canvas.fill_world(road.strip(inner, outer, begin, end), surface.kerb, PAVEMENT)
            if outer - inner > 1.2:
                canvas.fill_world(road.strip(inner + 0.2, outer - 0.2, begin, end), surface.verge, GROUND)


def roll_surface(dice: Dice, urban: bool) -> Surface:
    """Colours for asphalt old or new, verges of grass, soil or paving."""
    asphalt = dice.near(dice.pick([(72, 72, 76), (92, 91, 90), (112, 110, 107), (58, 58, 62)]), 10)
    verge = dice.pick(
        [(84, 100, 52), (104, 112, 62), (120, 104, 78), (142, 136, 124)]
        if urban
        else [(78, 98, 46), (96, 110, 54), (126, 116, 70), (112, 94, 66)]
    )
    pavement = dice.near(dice.pick([(142, 138, 132), (124, 120, 118), (158, 148, 138), (128, 112, 104)]), 14)
    return Surface(asphalt, dice.near(verge, 12), pavement, scaled(pavement, dice.whole(230, 300)))
