"""Where vehicles are put."""

import math

import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.dice import Dice
from perception.synthetic.light import roll_light
from perception.synthetic.road import Road, roll_road
from perception.synthetic.traffic import Placed, roll_traffic

CAMERA = Camera((384, 640), 500.0, 1.4, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def rolled() -> list[tuple[Road, list[Placed]]]:
    scenes = []
    for number in range(120):
        dice = Dice(number)
        road = roll_road(dice, CAMERA, urban=True)
        scenes.append((road, roll_traffic(dice, road, roll_light(dice))))
    return scenes


def crossing(road: Road, placed: Placed) -> bool:
    return abs(math.cos(placed.pose.yaw - road.yaw(placed.along))) < 0.5


def test_streets_are_empty_or_full(rolled):
    counts = [len(placed) for _, placed in rolled]
    assert min(counts) == 0
    assert max(counts) >= 12


def test_vehicles_do_not_overlap(rolled):
    for road, placed in rolled:
        along_road = [p for p in placed if not crossing(road, p)]
        for i, a in enumerate(along_road):
            for b in along_road[:i]:
                apart_along = abs(a.along - b.along) - (a.vehicle.length + b.vehicle.length) / 2
                apart_across = abs(a.offset - b.offset) - (a.vehicle.width + b.vehicle.width) / 2
                assert max(apart_along, apart_across) > -0.5


def test_vehicles_keep_to_their_direction(rolled):
    for road, placed in rolled:
        for p in placed:
            if crossing(road, p):
                assert road.junction is not None
            elif road.oncoming:
                ahead = math.cos(p.pose.yaw - road.yaw(p.along)) > 0
                assert ahead == (p.offset > road.lanes[0])


def test_the_place_of_the_own_vehicle_stays_free(rolled):
    for _, placed in rolled:
        for p in placed:
            if abs(p.offset) < 1.0:
                assert p.along - p.vehicle.length / 2 > 2.0
