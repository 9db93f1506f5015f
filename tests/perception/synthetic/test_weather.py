"""Blur that is alike everywhere, and light added to a picture."""

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import SKY, Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.weather import drops, filtered, glare, halos, mirror, rain, smear


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(Camera((96, 128), 100.0, 1.5, 0.0, 0.0, 0.0))


@pytest.fixture
def picture() -> np.ndarray:
    return (Dice(0).numbers(96, 128, 3) * 256).astype(np.uint8)


def test_filtering_rounds_halves_up(picture):
    kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16
    padded = np.pad(picture.astype(int), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    total = sum(round(kernel[i, j] * 16) * padded[i : i + 96, j : j + 128] for i in range(3) for j in range(3))
    np.testing.assert_array_equal(filtered(picture, kernel), (total + 8) >> 4)


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize("length", [3, 5, 7, 9])
def test_smearing_keeps_brightness_and_its_axis(length, vertical):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[32, 32] = 252
    spread = smear(picture, length, vertical)[..., 0].astype(int)
    line = spread[:, 32] if vertical else spread[32]
    assert np.count_nonzero(line) == length
    assert spread.sum() == line.sum() == pytest.approx(252, abs=length)


def test_halos_shine_only_where_their_lamp_is_seen(canvas):
    owner, other = canvas.new_owner(10.0), canvas.new_owner(5.0)
    canvas.tags[:] = other << 1
    canvas.tags[20, 30] = owner << 1
    canvas.glow(np.array([30, 20]), owner, (255, 200, 100), 8)
    canvas.glow(np.array([90, 60]), owner, (255, 200, 100), 8)
    lit = halos(np.zeros((96, 128, 3), np.uint8), canvas, 256, 0)
    assert lit[20, 30, 0] > lit[20, 35, 0] > 0
    assert lit[20, 30, 0] > lit[20, 30, 2]
    assert not lit[50:].any()


def test_only_asphalt_mirrors(canvas, picture):
    canvas.tags[:] = 3 << 1
    canvas.tags[:, :64] = 1 << 1
    wet = mirror(picture, canvas, 128, 40)
    np.testing.assert_array_equal(wet[:, :64], picture[:, :64])
    np.testing.assert_array_equal(wet[:40], picture[:40])
    assert (wet[60:, 64:] != picture[60:, 64:]).any()


def test_the_sun_keeps_to_the_sky(canvas, picture):
    canvas.tags[:] = 3 << 1
    np.testing.assert_array_equal(glare(picture, canvas, Dice(1), 50.0), picture)
    canvas.tags[:, 40:44] = SKY
    sunny = glare(np.zeros_like(picture), canvas, Dice(1), 50.0)
    assert 38 <= np.unravel_index(sunny[..., 2].argmax(), (96, 128))[1] <= 45


def test_rain_brightens_and_drops_blur(picture):
    dark = np.full_like(picture, 40)
    wet = rain(dark, Dice(2))
    assert (wet >= dark).all()
    assert (wet > dark).any()
    assert (drops(picture, Dice(3), 5) != picture).any()
    np.testing.assert_array_equal(drops(picture, Dice(3), 0), picture)
