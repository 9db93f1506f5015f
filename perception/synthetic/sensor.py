"""The camera itself: blur, vignette, noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from perception.synthetic.dice import Dice
from perception.synthetic.texture import noise, spread
from perception.synthetic.weather import filtered, smear

# How the lens spreads a point over its neighbours.
_SHARP = np.array([[0, 2, 0], [2, 8, 2], [0, 2, 0]], np.float32) / 16
_SOFT = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16


@dataclass(frozen=True)
class Sensor:
    """What the camera does to a picture.

    Attributes:
        motion: blur in pixels, 0 for none.
        vertical: the blur runs along columns.
        soft: the lens is not sharp.
        vignette: how much darker the corners are, out of 256.
        noise: its strength, out of 256.
    """

    motion: int
    vertical: bool
    soft: bool
    vignette: int
    noise: int


def roll_sensor(dice: Dice, dark: bool) -> Sensor:
    """Mostly sharp and clean; noisier and more often blurred in the dark."""
    motion = dice.pick([3, 5, 7]) if dice.chance(0.3 if dark else 0.14) else 0
    noise_level = dice.whole(14, 38) if dark else dice.whole(3, 20)
    return Sensor(motion, dice.chance(0.4), dice.chance(0.35), dice.whole(0, 90), noise_level)


def expose(picture: np.ndarray, sensor: Sensor, dice: Dice) -> np.ndarray:
    """The picture as the sensor reads it, uint8 RGB."""
    if sensor.motion:
        picture = smear(picture, sensor.motion, sensor.vertical)
    picture = filtered(picture, _SOFT if sensor.soft else _SHARP)
    height, width = picture.shape[:2]
    y, x = ((np.arange(n) * 2 - n) / n for n in (height, width))
    gain = np.floor(256 - sensor.vignette * ((y * y)[:, None] + x * x) / 2).astype(np.uint16)
    picture = (picture * gain[..., None] >> 8).astype(np.uint8)
    return cv2.add(picture, _noise(sensor.noise, (height, width), dice), dtype=cv2.CV_8U)


def _noise(strength: int, size: tuple[int, int], dice: Dice) -> np.ndarray:
    """Grain of each pixel and coarser stains of colour, int16 ``[H, W, 3]``."""
    grain = noise(1).astype(np.int16) - 128
    stain = noise(2).astype(np.int16) - 128
    tile = np.stack([grain + stain // 3, grain, grain - stain // 3], axis=2) * strength >> 8
    return spread(tile, size, dice)
