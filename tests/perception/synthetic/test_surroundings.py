"""What stands beside the road."""

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.light import roll_light
from perception.synthetic.road import Road, roll_road
from perception.synthetic.surroundings import paint_backdrop, roll_things
from perception.synthetic.things import Thing

CAMERA = Camera((384, 640), 500.0, 1.4, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def rolled() -> list[tuple[Road, list[Thing]]]:
    return [
        (road := roll_road(Dice(n), CAMERA, bool(n % 2)), roll_things(Dice(n, 1), road, bool(n % 2))) for n in range(40)
    ]


def test_named_things_are_bdd100ks_categories_and_no_vehicles(rolled):
    names = {thing.category for _, things in rolled for thing in things}
    assert names == {"", "pedestrian", "traffic sign", "traffic light"}


def test_nothing_blocks_the_crossing_road_or_stands_behind_the_crest(rolled):
    for road, things in rolled:
        for thing in things:
            assert thing.depth < road.end
            if road.junction and thing.category:
                assert not road.junction.begin - 1 < thing.depth < road.junction.end + 1


def test_buildings_come_first_and_everything_can_be_painted(rolled):
    light = roll_light(Dice(0))
    for road, things in rolled[:6]:
        canvas = Canvas(CAMERA)
        for thing in sorted(things, key=lambda t: -t.order):
            thing.paint(canvas, light, canvas.new_owner(thing.depth))
        # Nothing but buildings and leaves reaches over the own lane ahead.
        y, x = CAMERA.project(road.points(8.0, 0.0))[::-1]
        assert canvas.owners[int(y), int(x)] == 0


@pytest.mark.parametrize("urban", [True, False])
def test_the_backdrop_stands_on_the_horizon(urban):
    canvas = Canvas(CAMERA)
    paint_backdrop(canvas, Dice(2), roll_light(Dice(0)), urban, 200.0)
    rows = np.flatnonzero(canvas.owners.any(axis=1))
    assert 100 < rows[0] < 200 < rows[-1] < 245
