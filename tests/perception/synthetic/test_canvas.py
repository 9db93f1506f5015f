"""The painted planes: whoever paints last owns the pixel."""

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import FIRST_OBJECT, Canvas


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(Camera((96, 128), 100.0, 1.5, 0.0, 0.0, 0.0))


def box(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], float)


def test_later_polygons_hide_earlier_ones(canvas):
    far, near = canvas.new_owner(30.0), canvas.new_owner(10.0)
    assert (far, near) == (FIRST_OBJECT, FIRST_OBJECT + 1)
    canvas.fill(box(10, 10, 49, 49), (200, 0, 0), far)
    canvas.fill(box(30, 10, 69, 49), (0, 200, 0), near)
    assert (canvas.owners == far).sum() == 20 * 40
    assert (canvas.owners == near).sum() == 40 * 40
    assert tuple(canvas.image[20, 20]) == (200, 0, 0)
    assert tuple(canvas.image[20, 40]) == (0, 200, 0)


def test_hollow_shapes_own_only_their_inside(canvas):
    owner = canvas.new_owner(5.0)
    notched = np.array([(10, 10), (60, 10), (60, 60), (35, 20), (10, 60)], float)
    canvas.fill(notched, (9, 9, 9), owner)
    assert canvas.owners[15, 35] == owner
    assert canvas.owners[45, 35] == 0
    assert canvas.owners[40, 12] == owner


def test_shapes_may_reach_beyond_the_picture(canvas):
    owner = canvas.new_owner(5.0)
    hollow = np.array([(-900, -50), (900, -50), (900, 40), (0, 30), (-900, 40)], float)
    canvas.fill(hollow, (9, 9, 9), owner)
    assert (canvas.owners[:25] == owner).all()
    canvas.fill(box(500, 500, 600, 600), (9, 9, 9), canvas.new_owner(5.0))
    assert canvas.owners.max() == owner


def test_lit_pixels_are_marked(canvas):
    owner = canvas.new_owner(5.0)
    canvas.fill(box(10, 10, 20, 20), (255, 0, 0), owner, lit=True)
    assert canvas.tags[15, 15] == 2 * owner + 1
    assert canvas.owners[15, 15] == owner


def test_blending(canvas):
    canvas.image[:] = 100
    alpha = np.zeros((96, 128), np.uint8)
    alpha[50, 60] = 128
    canvas.blend(alpha, (200, 100, 0))
    assert tuple(canvas.image[50, 60]) == (150, 100, 50)
    assert (canvas.image[49] == 100).all()
    canvas.blend(np.zeros_like(alpha), (0, 0, 0))
    assert canvas.image[50, 60, 0] == 150


def test_lamps_outside_the_picture_are_forgotten(canvas):
    canvas.glow(np.array([5.2, 6.7]), 4, (255, 255, 255), 0.3)
    canvas.glow(np.array([500.0, 6.0]), 4, (255, 255, 255), 9)
    (lamp,) = canvas.glows
    assert (lamp.x, lamp.y, lamp.radius) == (5, 7, 2)
