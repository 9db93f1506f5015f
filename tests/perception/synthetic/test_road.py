"""The course of a road, its cross-section and the drivable label."""

from dataclasses import replace

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import ASPHALT, FARTHEST, Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.road import Junction, Road, depth_by_row, paint_ground, roll_road, roll_surface

CAMERA = Camera((384, 640), 500.0, 1.5, 0.0, 0.0, 0.0)
STRAIGHT = Road(
    heading=0.0,
    bend=0.0,
    twist=0.0,
    rise=0.0,
    end=170.0,
    lanes=(-1.75, 1.75),
    oncoming=(-5.25, -1.75),
    edges=(-5.75, 2.25),
    drivable=(-1.75, 1.75),
    walk=2.0,
    junction=None,
    divided=False,
    edge_lines=True,
)


@pytest.fixture(scope="module")
def roads() -> list[Road]:
    return [roll_road(Dice(number), CAMERA, bool(number % 2)) for number in range(200)]


def painted(road: Road) -> Canvas:
    canvas = Canvas(CAMERA)
    paint_ground(canvas, road, roll_surface(Dice(0), urban=True))
    return canvas


def test_cross_sections_are_ordered(roads):
    for road in roads:
        offsets = [road.edges[0], *road.oncoming, *road.lanes, road.edges[1]]
        assert offsets == sorted(offsets)
        assert road.edges[0] <= road.drivable[0] < 0 < road.drivable[1] <= road.edges[1]
        assert not road.junction or road.junction.end < road.end


def test_roads_vary(roads):
    assert {len(road.lanes) - 1 for road in roads} == {1, 2, 3, 4}
    for present in ("oncoming", "junction", "divided", "edge_lines", "walk"):
        assert {bool(getattr(road, present)) for road in roads} == {True, False}
    assert min(road.bend for road in roads) < -0.003
    assert max(road.bend for road in roads) > 0.003


def test_a_crest_hides_what_is_behind_it():
    crests = [road for number in range(60) if (road := roll_road(Dice(number), CAMERA, False)).rise < -0.0006]
    assert crests
    for road in crests:
        # Seen from 1.5 m, a parabola falls out of sight at the square root of 2 h / rise.
        assert road.end == pytest.approx(np.sqrt(2 * 1.5 / -road.rise), rel=0.1)


def test_bends_and_yaw_agree():
    road = replace(STRAIGHT, heading=0.02, bend=0.004, twist=-0.00002)
    before, after = road.points(np.array([29.99, 30.01]), 0.0)
    assert np.arctan2(after[0] - before[0], after[2] - before[2]) == pytest.approx(road.yaw(30.0), abs=1e-6)


def test_the_drivable_label_is_the_own_lane():
    canvas = painted(STRAIGHT)
    row = 192 + 75  # 10 m ahead
    columns = np.flatnonzero(canvas.drivable[row] > 127)
    assert columns[0] == pytest.approx(320 - 87.5, abs=1.5)
    assert columns[-1] == pytest.approx(320 + 87.5, abs=1.5)
    assert not canvas.drivable[:190].any()
    assert canvas.owners[row, 320 + 100] == ASPHALT
    assert canvas.owners[row, 320 + 130] != ASPHALT


def test_the_drivable_label_widens_in_a_junction():
    canvas = painted(replace(STRAIGHT, junction=Junction(8.0, 14.0)))
    assert canvas.drivable[192 + 75, 320 - 200] > 127
    assert canvas.drivable[192 + 150, 320 - 400 // 2 - 100] < 128
    assert canvas.owners[192 + 75, 10] == ASPHALT


def test_depth_by_row():
    depths = depth_by_row(STRAIGHT, CAMERA)
    assert depths[192 + 75] == pytest.approx(10.0, rel=0.01)
    assert depths[100] == FARTHEST
    assert (np.diff(depths) <= 0).all()
