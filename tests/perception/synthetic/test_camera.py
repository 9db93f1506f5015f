"""Projection."""

import numpy as np
import pytest

from perception.synthetic.camera import NEAR, Camera, fixed

PLAIN = Camera(size=(384, 640), focal=500.0, height=1.5, pitch=0.0, roll=0.0, lens=0.0)


def test_a_pinhole():
    points = np.array([(0.0, 1.5, 10.0), (2.0, 1.5, 10.0), (0.0, 0.0, 10.0)])
    np.testing.assert_allclose(PLAIN.project(points), [(320, 192), (420, 192), (320, 267)])
    np.testing.assert_allclose(PLAIN.depth(points), 10.0)


def test_looking_down_lifts_the_picture_and_roll_turns_it():
    ahead = np.array([0.0, 1.5, 50.0])
    aside = np.array([10.0, 1.5, 50.0])
    down = Camera((384, 640), 500.0, 1.5, 0.1, 0.0, 0.0)
    assert down.project(ahead)[1] == pytest.approx(192 - 500 * np.tan(0.1))
    rolled = Camera((384, 640), 500.0, 1.5, 0.0, 0.1, 0.0)
    np.testing.assert_allclose(rolled.project(aside), (320 + 100 * np.cos(0.1), 192 + 100 * np.sin(0.1)))


def test_a_barrel_lens_draws_the_edges_in():
    barrel = Camera((384, 640), 500.0, 1.5, 0.0, 0.0, -0.1)
    edge = np.array([10.0, 1.5, 20.0])
    assert barrel.project(edge)[0] == pytest.approx(320 + 500 * 0.5 * (1 - 0.1 * 0.25))


def test_polygons_are_cut_at_the_near_plane():
    ground = np.array([(-1.0, 0.0, -5.0), (1.0, 0.0, -5.0), (1.0, 0.0, 5.0), (-1.0, 0.0, 5.0)])
    pixels = PLAIN.polygon(ground)
    assert pixels is not None
    assert pixels[:, 1].max() == pytest.approx(192 + 500 * 1.5 / NEAR)
    assert pixels[:, 1].min() == pytest.approx(192 + 500 * 1.5 / 5)
    assert PLAIN.polygon(ground - [0, 0, 10]) is None
    both = PLAIN.polygons(np.stack([ground, ground - [0, 0, 10]]))
    np.testing.assert_array_equal(both[0], pixels)
    assert both[1] is None


def test_ground_offsets_match_the_projection():
    depths = np.array([5.0, 20.0])
    across = PLAIN.across(depths)
    for depth, row in zip(depths, across, strict=True):
        assert PLAIN.project(np.array([row[500], 0.0, depth]))[0] == pytest.approx(500)


def test_fixed_point_hides_the_last_bits():
    pixels = np.array([(10.03, 20.47), (1e9, -1e9)])
    np.testing.assert_array_equal(fixed(pixels), fixed(pixels * (1 + 1e-15)))
    np.testing.assert_array_equal(fixed(pixels)[0], [160, 328])
