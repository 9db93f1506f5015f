"""Seeded chance."""

import numpy as np
import pytest

from perception.synthetic.dice import Dice, scaled


def test_the_stream_is_fixed():
    dice = Dice(1, 2)
    assert [dice.whole(0, 999) for _ in range(6)] == [448, 430, 419, 277, 821, 49]


def test_keys_of_any_length_give_different_streams():
    firsts = [Dice(*key).between(0, 1) for key in ((1,), (2,), (0, 1), (1, 1), (0, 0, 1), (0, 1, 1))]
    assert len(set(firsts)) == len(firsts)


def test_ranges():
    dice = Dice(0)
    assert {dice.whole(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {dice.pick("ab") for _ in range(50)} == {"a", "b"}
    numbers = [dice.between(-2, 3) for _ in range(1000)]
    assert -2 <= min(numbers) < -1.9
    assert 2.9 < max(numbers) < 3
    assert dice.numbers(3, 4).shape == (3, 4)


def test_weights_are_shares():
    dice = Dice(0)
    drawn = [dice.weighted({"often": 3.0, "seldom": 1.0, "never": 0.0}) for _ in range(2000)]
    assert drawn.count("often") / 2000 == pytest.approx(0.75, abs=0.04)
    assert "never" not in drawn


def test_colours_stay_colours():
    dice = Dice(0)
    colours = np.array([dice.near((250, 128, 3), 30) for _ in range(200)])
    assert colours.min() >= 0
    assert colours.max() <= 255
    assert np.abs(colours - [250, 128, 3]).max() <= 40
    assert scaled((10, 100, 200), 512) == (20, 200, 255)
