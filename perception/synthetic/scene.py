"""One scene from one seed: everything rolled, painted back to front, lit, weathered, and labelled."""

from dataclasses import dataclass

import numpy as np

from perception.geometry import check_size
from perception.synthetic import clutter, light, markings, road, sensor, surroundings, traffic, vehicles, weather
from perception.synthetic.camera import roll_camera
from perception.synthetic.canvas import ASPHALT, DEPTH_STEPS, FARTHEST, FIRST_OBJECT, SKY, Canvas
from perception.synthetic.dice import Dice, scaled
from perception.synthetic.things import Thing, order_at
from perception.tasks import VEHICLE_CATEGORIES

SIZE = (384, 640)
# Of an object, at least this share must be visible, and its box must have this height in a picture of 384 rows.
_LEAST_VISIBLE = 0.25
_LEAST_HEIGHT = 8


@dataclass(frozen=True)
class Scene:
    """A labelled picture.

    Attributes:
        image: uint8 ``[H, W, 3]`` RGB.
        boxes: float32 ``[N, 4]`` x1, y1, x2, y2 in pixels, what is visible of each object.
        categories: BDD100K's name for each box; those of ``VEHICLE_CATEGORIES`` are the vehicles.
        drivable: uint8 ``[H, W]`` 0 or 1: the own lanes and the junction, where nothing stands on them.
        lane: uint8 ``[H, W]`` 0 or 1: lane lines and stop lines in sight, however worn.
    """

    image: np.ndarray
    boxes: np.ndarray
    categories: tuple[str, ...]
    drivable: np.ndarray
    lane: np.ndarray

    @property
    def vehicles(self) -> np.ndarray:
        """The boxes of vehicles only, float32 ``[N, 4]``."""
        return self.boxes[[c in VEHICLE_CATEGORIES for c in self.categories]]


def render(seed: int | tuple[int, ...], size: tuple[int, int] = SIZE) -> Scene:
    """Render a scene: the same arrays for the same seed and ``(height, width)``, on every machine.

    A seed is a whole number from 0, or several. Raises :class:`~perception.errors.InputError` for a size whose sides
    are not multiples of 32.
    """
    dice = Dice(*(seed if isinstance(seed, tuple) else (seed,)))
    camera = roll_camera(dice, check_size(size))
    urban = dice.chance(0.62)
    course = road.roll_road(dice, camera, urban)
    sky = light.roll_light(dice)
    air = weather.roll_weather(dice, sky)
    placed = traffic.roll_traffic(dice, course, sky)
    things = surroundings.roll_things(dice, course, urban) + [_thing(p) for p in placed]

    canvas = Canvas(camera)
    depths = road.depth_by_row(course, camera)
    far = camera.project(course.points(course.end, 0.0))
    horizon = float(far[1])
    light.paint_sky(canvas, sky, dice, horizon)
    surroundings.paint_backdrop(canvas, dice, sky, urban, horizon)
    _paint_ground(canvas, course, sky, placed, depths, dice, urban)
    named = _paint_things(canvas, sky, things)

    polished = [owner for owner, (category, _) in named.items() if category in VEHICLE_CATEGORIES]
    if dice.chance(0.4):
        polished.append(_paint_bonnet(canvas, dice))
    picture = _develop(canvas, sky, air, depths, horizon, dice, polished)
    boxes, categories = _boxes(canvas, named)
    free = (canvas.tags >> 1) < FIRST_OBJECT
    return Scene(picture, boxes, categories, (canvas.drivable >> 7) * free, (canvas.lane >> 7) * free)


def _thing(placed: traffic.Placed) -> Thing:
    def paint(canvas: Canvas, sky: light.Light, owner: int) -> None:
        vehicles.paint_vehicle(canvas, sky, placed.vehicle, placed.pose, owner)

    order = order_at(placed.along, placed.offset)
    return Thing(order, placed.along, placed.vehicle.category, paint)


def _paint_ground(
    canvas: Canvas,
    course: road.Road,
    sky: light.Light,
    placed: list[traffic.Placed],
    depths: np.ndarray,
    dice: Dice,
    urban: bool,
) -> None:
    surface = road.roll_surface(dice, urban)
    road.paint_ground(canvas, course, surface)
    clutter.paint_clutter(canvas, course, surface, dice)
    clutter.grain(canvas, depths, dice, dice.whole(2, 5))
    markings.paint_markings(canvas, course, dice, depths)
    prints = [outline for p in placed for outline in vehicles.footprint(p.vehicle, p.pose, sky)]
    clutter.shadows(canvas, course, sky, dice, prints, depths)


def _paint_things(canvas: Canvas, sky: light.Light, things: list[Thing]) -> dict[int, tuple[str, int]]:
    """Paint far to near. Returns, for every object with a category, its owner with category and unhidden area."""
    named = {}
    for thing in sorted(things, key=lambda t: -t.order):
        owner = canvas.new_owner(thing.depth)
        thing.paint(canvas, sky, owner)
        if thing.category:
            named[owner] = (thing.category, int(np.count_nonzero(canvas.tags >> 1 == owner)))
    return named


def _paint_bonnet(canvas: Canvas, dice: Dice) -> int:
    """The own car at the bottom of the picture; returns its owner."""
    height, width = canvas.tags.shape
    top, bulge = height * dice.between(0.86, 0.97), height * dice.between(0.01, 0.06)
    x = np.linspace(-0.02, 1.02, 21)
    edge = top + bulge * (2 * x - 1) ** 2 * 2
    colour = dice.near(dice.pick([(40, 42, 46), (90, 94, 100), (130, 132, 136), (60, 30, 30), (24, 24, 26)]), 10)
    owner = canvas.new_owner(1.0)
    for shift, gain in ((0.0, 205), (0.012, 295), (0.04, 230)):
        rim = np.stack([x * width, edge + shift * height], 1)
        shape = np.concatenate([rim, [(1.02 * width, height + 2), (-0.02 * width, height + 2)]])
        canvas.fill(shape, scaled(colour, gain), owner)
    return owner


def _develop(
    canvas: Canvas,
    sky: light.Light,
    air: weather.Weather,
    depths: np.ndarray,
    horizon: float,
    dice: Dice,
    polished: list[int],
) -> np.ndarray:
    """From colours in white light to the picture that the sensor reads."""
    owners = canvas.owners
    table = np.clip(np.array(canvas.depths) * DEPTH_STEPS, 0, FARTHEST * DEPTH_STEPS).astype(np.int32)
    ground = np.clip(depths * DEPTH_STEPS, 0, FARTHEST * DEPTH_STEPS).astype(np.int32)
    depth = np.where((owners > SKY) & (owners <= ASPHALT), ground[:, None], table[owners])
    clutter.mottle(canvas, polished, dice)
    picture = light.illuminate(canvas, sky, depth)
    picture = light.haze(picture, sky, depth, owners == SKY)
    if air.wet:
        picture = weather.mirror(picture, canvas, air.wet, int(horizon))
    if canvas.glows:
        picture = weather.halos(picture, canvas, 250 if sky.time == "night" else 120, air.wet)
    if air.glare:
        picture = weather.glare(picture, canvas, dice, horizon)
    if air.rain:
        picture = weather.rain(picture, dice)
    if air.drops:
        picture = weather.drops(picture, dice, air.drops)
    if dice.chance(0.2):
        picture = weather.dirt(picture, dice, sky.horizon)
    return sensor.expose(picture, sensor.roll_sensor(dice, sky.time == "night"), dice)


def _boxes(canvas: Canvas, named: dict[int, tuple[str, int]]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The visible extent of every object that is visible enough."""
    owners = canvas.tags >> 1
    boxes, categories = [], []
    for owner, (category, area) in named.items():
        seen = owners == owner
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        if not len(rows) or rows[-1] + 1 - rows[0] < _LEAST_HEIGHT * owners.shape[0] / 384:
            continue
        if np.count_nonzero(seen) < _LEAST_VISIBLE * area:
            continue
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        categories.append(category)
    return np.array(boxes, np.float32).reshape(-1, 4), tuple(categories)
