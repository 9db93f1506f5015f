"""Vehicles as solids: where they appear, which faces are seen, and what they shade."""

import math

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.kinds import Lamps, roll_vehicle
from perception.synthetic.light import Light
from perception.synthetic.solids import Block, Patch, Pose, paint_block
from perception.synthetic.vehicles import Vehicle, footprint, paint_vehicle

CAMERA = Camera((384, 640), 500.0, 1.4, 0.0, 0.0, 0.0)
NOON = Light("day", (0.0, 1.0, 0.0), 160, 90, (256, 256, 256), (0, 0, 200), (200, 200, 220), 0, 500.0, False)


@pytest.fixture(scope="module")
def fleet() -> list[Vehicle]:
    return [roll_vehicle(Dice(number), Lamps(on=True, braking=False)) for number in range(80)]


def seen(vehicle: Vehicle, pose: Pose) -> tuple[Canvas, np.ndarray]:
    canvas = Canvas(CAMERA)
    owner = canvas.new_owner(float(pose.origin[2]))
    paint_vehicle(canvas, NOON, vehicle, pose, owner)
    return canvas, canvas.owners == owner


def test_the_fleet_has_every_category(fleet):
    assert {vehicle.category for vehicle in fleet} == {"car", "bus", "truck"}


@pytest.mark.parametrize("yaw", [0.0, math.pi, math.pi / 2])
def test_a_vehicle_fills_the_space_it_takes(fleet, yaw):
    for vehicle in fleet[:25]:
        pose = Pose(np.array([1.0, 0.0, 25.0]), yaw)
        _, mask = seen(vehicle, pose)
        half, end = vehicle.width / 2, vehicle.length / 2
        corners = [(x, y, z) for x in (-half, half) for y in (0, vehicle.height) for z in (-end, end)]
        pixels = CAMERA.project(pose.to_world(np.array(corners)))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        (left, top), (right, bottom) = pixels.min(axis=0), pixels.max(axis=0)
        np.testing.assert_allclose((columns[0], columns[-1], rows[-1]), (left, right, bottom), atol=4)
        # Roofs are shorter than their vehicle.
        assert -1 < rows[0] - top < 9


def test_a_vehicle_beside_the_camera_is_cut_off_not_turned_over(fleet):
    _, mask = seen(fleet[0], Pose(np.array([3.0, 0.0, 1.0]), 0.0))
    columns = np.flatnonzero(mask.any(axis=0))
    assert columns[-1] == 639
    assert columns[0] > 320


def test_tail_lamps_shine_from_behind_and_headlamps_from_the_front(fleet):
    for yaw, colour in ((0.0, (232, 24, 20)), (math.pi, (255, 250, 232))):
        canvas, _ = seen(fleet[0], Pose(np.array([0.0, 0.0, 15.0]), yaw))
        lit = canvas.image[(canvas.tags & 1).astype(bool)]
        assert (np.abs(lit.astype(int) - colour).max(axis=1) < 40).mean() > 0.5
        assert len(canvas.glows) == 2


def test_only_faces_towards_the_camera_are_painted():
    red, blue = (200, 0, 0), (0, 0, 200)
    block = Block(
        (-1, 1), (-1, 1), (0, 1), (2, 2), (90, 90, 90),
        {"rear": (Patch((0, 0, 1, 1), red),), "front": (Patch((0, 0, 1, 1), blue),)},
    )  # fmt: skip
    canvas = Canvas(CAMERA)
    paint_block(canvas, NOON, Pose(np.array([0.0, 0.0, 10.0]), 0.0), block, canvas.new_owner(10.0), fine=True)
    assert canvas.image[..., 0].max() > 100
    assert not ((canvas.image[..., 2] > 100) & (canvas.image[..., 0] < 50)).any()


def test_a_pose_goes_there_and_back():
    pose = Pose(np.array([1.0, 2.0, 3.0]), 0.7)
    point = np.array([0.3, -0.4, 2.0])
    np.testing.assert_allclose(pose.to_solid(pose.to_world(point)), point)
    np.testing.assert_allclose(
        Pose(np.zeros(3), math.pi / 2).to_world(np.array([0.0, 0.0, 1.0])), (1, 0, 0), atol=1e-12
    )


def test_shadows_fall_away_from_the_sun(fleet):
    pose = Pose(np.array([0.0, 0.0, 10.0]), 0.0)
    low = Light("day", (-0.8, 0.6, 0.0), 160, 90, (256,) * 3, (0,) * 3, (0,) * 3, 0, 500.0, False)
    under, cast = footprint(fleet[0], pose, low)
    assert cast[:, 0].max() > under[:, 0].max() + 0.5
    overcast = Light("overcast", (-0.8, 0.6, 0.0), 200, 20, (256,) * 3, (0,) * 3, (0,) * 3, 0, 500.0, False)
    assert len(footprint(fleet[0], pose, overcast)) == 1
