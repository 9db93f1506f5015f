"""What comes between the scene and the lens: glowing lamps, wet roads, rain, a low sun."""

from dataclasses import dataclass

import cv2
import numpy as np

from perception.synthetic.canvas import ASPHALT, SKY, Canvas
from perception.synthetic.dice import Colour, Dice
from perception.synthetic.light import Light
from perception.synthetic.texture import noise, spread


@dataclass(frozen=True)
class Weather:
    """What the air does to a picture.

    Attributes:
        wet: how much of a mirror the asphalt is, out of 256.
        rain: it falls.
        drops: how many sit on the windscreen.
        glare: the sun is in the picture.
    """

    wet: int
    rain: bool
    drops: int
    glare: bool


def roll_weather(dice: Dice, light: Light) -> Weather:
    """Rain in a seventh of the scenes, never under a blue sky; glare mostly at dusk."""
    if light.time != "day" and dice.chance(0.3):
        return Weather(dice.whole(30, 100), True, dice.whole(0, 26) if dice.chance(0.6) else 0, False)
    wet = dice.whole(20, 80) if dice.chance(0.06) else 0
    return Weather(wet, False, 0, dice.chance({"dusk": 0.4, "day": 0.12}.get(light.time, 0.0)))


def mirror(picture: np.ndarray, canvas: Canvas, wet: int, horizon: int) -> np.ndarray:
    """Let wet asphalt show what stands above it, smeared along the columns."""
    height = picture.shape[0]
    top = max(0, horizon)
    if top >= height - 4:
        return picture
    rows = np.clip(2 * top - np.arange(top, height), 0, height - 1)
    image = smear(picture[rows], 9, vertical=True)
    road = canvas.owners[top:] == ASPHALT
    share = (road * np.uint16(wet))[..., None]
    picture = picture.copy()
    picture[top:] = (picture[top:] * (256 - share) + image * share) >> 8
    return picture


def halos(picture: np.ndarray, canvas: Canvas, strength: int, wet: int) -> np.ndarray:
    """Add the glow of every lamp in sight, and its streak on a wet road. ``strength`` is out of 256."""
    picture = picture.copy()
    largest = picture.shape[0] // 5
    for glow in canvas.glows:
        if canvas.tags[glow.y, glow.x] >> 1 == glow.owner:
            radius = min(glow.radius, largest)
            _add(picture, _halo(radius), glow.x, glow.y, glow.colour, strength)
            if wet:
                _add(picture, _streak(radius), glow.x, glow.y + 3 * radius, glow.colour, strength * wet >> 8)
    return picture


def rain(picture: np.ndarray, dice: Dice) -> np.ndarray:
    """Streaks of falling drops."""
    height, width = picture.shape[:2]
    plane = np.zeros((height, width), np.uint8)
    slant = dice.between(-0.25, 0.25)
    count = dice.whole(60, 260)
    for x, y, size in dice.numbers(count, 3).tolist():
        length = (0.02 + 0.07 * size) * height
        begin = (int(x * width * 16), int(y * height * 16))
        end = (int((x * width + slant * length) * 16), int((y * height + length) * 16))
        cv2.line(plane, begin, end, int(24 + 60 * size), 1, cv2.LINE_AA, 4)
    share = plane.astype(np.uint16)[..., None] >> 1
    return ((picture * (256 - share) + 255 * share) >> 8).astype(np.uint8)


def drops(picture: np.ndarray, dice: Dice, count: int) -> np.ndarray:
    """Drops on the windscreen: small lenses that show the scene upside down and blurred."""
    height, width = picture.shape[:2]
    picture = picture.copy()
    soft = smear(smear(picture, 9, vertical=True), 9, vertical=False)
    for _ in range(count):
        radius = max(2, int(height * dice.between(0.006, 0.028)))
        x, y = dice.whole(radius, width - radius - 1), dice.whole(radius, height - radius - 1)
        window = (slice(y - radius, y + radius), slice(x - radius, x + radius))
        inside = _halo(radius) > 40
        lens = soft[window][::-1]
        picture[window][inside] = lens[inside] // 8 * 7 + 18
    return picture


def glare(picture: np.ndarray, canvas: Canvas, dice: Dice, horizon: float) -> np.ndarray:
    """A sun in a free part of the sky that washes out what is around it."""
    height = picture.shape[0]
    y = min(max(int(horizon - height * dice.between(0.02, 0.4)), 0), height - 1)
    free = np.flatnonzero(canvas.owners[y] == SKY)
    choice = dice.between(0, 1)
    if not len(free):
        return picture
    x = int(free[int(choice * len(free))])
    picture = picture.copy()
    _add(picture, _halo(height // 2), x, y, (255, 238, 200), dice.whole(150, 250))
    _add(picture, _halo(height // 14), x, y, (255, 252, 240), 900)
    return picture


def smear(picture: np.ndarray, length: int, vertical: bool) -> np.ndarray:
    """Blur along one axis with a triangle ``length`` pixels wide, at most 9."""
    ramp = np.array([min(i + 1, length - i) for i in range(length)], np.int64)
    weights = ramp * 256 // ramp.sum()
    weights[length // 2] += 256 - weights.sum()
    kernel = (weights / 256).astype(np.float32)
    kernel = kernel[:, None] if vertical else kernel[None]
    return filtered(picture, kernel)


def filtered(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate with a kernel of multiples of 1/256, alike on every machine: sums are exact, and the 1/512 added keeps
    them off the halves that some processors round up and others to even."""
    return cv2.filter2D(picture, -1, kernel, delta=1 / 512, borderType=cv2.BORDER_REFLECT_101)


def dirt(picture: np.ndarray, dice: Dice, colour: Colour) -> np.ndarray:
    """A film of dust on the windscreen that catches the light of the sky."""
    film = spread(noise(21), picture.shape[:2], dice).astype(np.uint16) * dice.whole(10, 46) >> 8
    film = film[..., None]
    return ((picture * (256 - film) + np.array(colour, np.uint16) * film) >> 8).astype(np.uint8)


def _halo(radius: int) -> np.ndarray:
    """A disc that fades out, uint8 ``[2r, 2r]``."""
    axis = np.arange(2 * radius) - radius + 0.5
    distance = np.sqrt(axis[:, None] * axis[:, None] + axis[None] * axis[None]) / radius
    fall = np.maximum(1.0 - distance, 0.0)
    return np.floor(255 * fall * fall).astype(np.uint8)


def _streak(radius: int) -> np.ndarray:
    """A halo drawn out downwards."""
    return np.repeat(_halo(radius), 3, axis=0)


def _add(picture: np.ndarray, sprite: np.ndarray, x: int, y: int, colour: Colour, strength: int) -> None:
    """Add a sprite centred on a pixel, in place, saturating."""
    height, width = sprite.shape
    top, left = y - height // 2, x - width // 2
    rows = slice(max(top, 0), max(0, min(top + height, picture.shape[0])))
    columns = slice(max(left, 0), max(0, min(left + width, picture.shape[1])))
    part = sprite[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left].astype(np.int32)
    if part.size:
        light = part[..., None] * np.array(colour, np.int32) * strength >> 16
        picture[rows, columns] = np.minimum(picture[rows, columns] + light, 255)
