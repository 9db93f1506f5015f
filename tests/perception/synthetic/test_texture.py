"""Tiles of noise."""

import numpy as np
import pytest

from perception.synthetic.dice import Dice
from perception.synthetic.texture import TILE, laid, noise, spread


@pytest.mark.parametrize("smoothing", [1, 3, 21])
def test_values_fill_the_range_evenly(smoothing):
    counts = np.bincount(noise(smoothing).ravel(), minlength=256)
    assert (counts == TILE).all()


def test_smoothing_joins_neighbours_across_the_seam():
    rough, smooth = (np.abs(np.diff(noise(n).astype(int), axis=1)).mean() for n in (1, 21))
    assert smooth < rough / 4
    tile = noise(21).astype(int)
    assert np.abs(tile[:, 0] - tile[:, -1]).mean() < rough / 4


def test_laying_a_tile_in_metres():
    tile = noise(3)
    across, along = np.array([[0.05, 0.15, 25.65]]), np.array([[0.0], [0.1]])
    expected = tile[[[0], [1]], [[0, 1, 0]]]
    np.testing.assert_array_equal(laid(tile, across, along, 0.1), expected)


def test_spreading_a_tile_over_a_picture():
    picture = spread(noise(1), (300, 520), Dice(0))
    assert picture.shape == (300, 520)
    np.testing.assert_array_equal(picture[:44], picture[256:])
    np.testing.assert_array_equal(picture[:, :8], picture[:, 512:])
