"""What the sensor adds."""

import numpy as np
import pytest

from perception.synthetic.dice import Dice
from perception.synthetic.sensor import Sensor, expose, roll_sensor

CLEAN = Sensor(motion=0, vertical=False, soft=False, vignette=0, noise=0)
GREY = np.full((96, 128, 3), 120, np.uint8)


def test_a_clean_sensor_leaves_a_plain_picture_alone():
    np.testing.assert_array_equal(expose(GREY, CLEAN, Dice(0)), GREY)


def test_noise_is_centred_and_grows():
    weak, strong = (expose(GREY, Sensor(0, False, False, 0, level), Dice(0)).astype(int) for level in (8, 38))
    assert 0 < weak.std() < strong.std() < 20
    assert strong.mean() == pytest.approx(120, abs=1.5)


def test_corners_are_darker():
    dark = expose(GREY, Sensor(0, False, False, 90, 0), Dice(0))
    assert dark[48, 64, 0] >= 119
    assert dark[0, 0, 0] == pytest.approx(120 * (1 - 90 / 256), abs=3)


@pytest.mark.parametrize("blurred", [Sensor(7, False, False, 0, 0), Sensor(0, False, True, 0, 0)])
def test_blur_softens_edges(blurred):
    edge = GREY.copy()
    edge[:, 64:] = 220
    steps = [np.abs(np.diff(expose(edge, sensor, Dice(0))[48, :, 0].astype(int))).max() for sensor in (CLEAN, blurred)]
    assert steps[1] < steps[0]


def test_nights_are_noisier():
    levels = {dark: np.mean([roll_sensor(Dice(n), dark).noise for n in range(50)]) for dark in (False, True)}
    assert levels[True] > levels[False] + 5
