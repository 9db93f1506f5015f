"""Times of day."""

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import DEPTH_STEPS, Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.light import Light, haze, illuminate, paint_sky, roll_light


@pytest.fixture(scope="module")
def lights() -> dict[str, Light]:
    return {light.time: light for light in (roll_light(Dice(number)) for number in range(60))}


@pytest.fixture
def canvas() -> Canvas:
    canvas = Canvas(Camera((96, 128), 100.0, 1.5, 0.0, 0.0, 0.0))
    canvas.image[:] = 120
    return canvas


def metres(value: float) -> np.ndarray:
    return np.full((96, 128), int(value * DEPTH_STEPS), np.int32)


def test_every_time_of_day_comes(lights):
    assert set(lights) == {"day", "overcast", "dusk", "night"}
    assert {time for time, light in lights.items() if light.dark} == {"dusk", "night"}


def test_faces_towards_the_sun_are_brighter(lights):
    light = lights["day"]
    sun = np.array(light.sun)
    assert light.shade(sun) > light.shade(-sun) + 80


def test_by_night_only_lamps_and_what_they_reach_are_bright(lights, canvas):
    canvas.tags[40, 50] = 1
    near, far = (illuminate(canvas, lights["night"], metres(depth)) for depth in (6, 100))
    assert near[40, 64].mean() > far[40, 64].mean() + 30
    assert near[40, 64].mean() > near[40, 2].mean()
    assert (far[40, 50] == 120).all()
    assert illuminate(canvas, lights["day"], metres(100))[40, 64].mean() > 90


def test_haze_hides_half_at_the_sight(lights, canvas):
    light = lights["overcast"]
    sky = np.zeros((96, 128), bool)
    sky[0] = True
    hazy = haze(canvas.image, light, metres(light.sight) if light.sight < 250 else metres(250), sky)
    share = 1 / 2 if light.sight < 250 else light.sight**2 / (light.sight**2 + 250**2)
    expected = 120 * share + np.array(light.horizon) * (1 - share)
    np.testing.assert_allclose(hazy[50, 50], expected, atol=2)
    assert (hazy[0] == 120).all()


def test_the_sky_runs_from_zenith_to_horizon(lights, canvas):
    light = Light(**{**lights["day"].__dict__, "clouds": 0})
    paint_sky(canvas, light, Dice(0), 60.0)
    np.testing.assert_array_equal(canvas.image[0, 0], light.zenith)
    np.testing.assert_allclose(canvas.image[60, 9], light.horizon, atol=6)
    paint_sky(canvas, Light(**{**lights["day"].__dict__, "clouds": 130}), Dice(0), 60.0)
    assert canvas.image[:40].std(axis=1).max() > 10
