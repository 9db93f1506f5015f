"""Time of day: where the sun stands, what colours the sky has and how bright things are."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from perception.synthetic.canvas import DEPTH_STEPS, FARTHEST, Canvas
from perception.synthetic.dice import Colour, Dice
from perception.synthetic.texture import laid, noise


@dataclass(frozen=True)
class Light:
    """The light of a scene.

    Attributes:
        time: ``day``, ``overcast``, ``dusk`` or ``night``.
        sun: unit vector towards the sun, world axes.
        ambient: gain of a face in the shade, out of 256.
        direct: what the sun adds to a face that it strikes squarely, out of 256.
        gains: red, green and blue gain of the whole scene, out of 256; by night what is left without lamps.
        zenith: colour of the sky overhead.
        horizon: colour of the sky at the horizon, and of haze.
        clouds: share of the sky covered, out of 256.
        sight: metres at which haze hides half.
        lamps: vehicles have their lamps on.
    """

    time: str
    sun: tuple[float, float, float]
    ambient: int
    direct: int
    gains: Colour
    zenith: Colour
    horizon: Colour
    clouds: int
    sight: float
    lamps: bool

    @property
    def dark(self) -> bool:
        """Street lamps and windows are lit."""
        return self.time in ("dusk", "night")

    def shade(self, normal: np.ndarray) -> int:
        """Gain, out of 256, of a face with that unit normal ``[3]``."""
        facing = normal[0] * self.sun[0] + normal[1] * self.sun[1] + normal[2] * self.sun[2]
        return round(self.ambient + self.direct * max(0.0, float(facing)) + 14 * float(normal[1]))


def roll_light(dice: Dice) -> Light:
    """Four scenes in ten by day, a quarter under cloud, the rest at dusk and at night."""
    time = dice.weighted({"day": 0.42, "overcast": 0.24, "dusk": 0.14, "night": 0.2})
    azimuth, height = dice.between(-math.pi, math.pi), dice.between(0.35, 1.1)
    if time == "dusk":
        height = dice.between(0.06, 0.3)
    level = math.cos(height)
    sun = (level * math.sin(azimuth), math.sin(height), level * math.cos(azimuth))
    far = dice.between(250, 900)
    if time == "day":
        tint = dice.whole(-10, 14)
        exposure = dice.whole(205, 282)
        return Light(
            time,
            sun,
            ambient=162,
            direct=122,
            gains=(exposure + tint, exposure, exposure - tint),
            zenith=dice.near((70, 126, 204), 22),
            horizon=dice.near((184, 206, 226), 14),
            clouds=dice.whole(0, 130),
            sight=far,
            lamps=False,
        )
    if time == "overcast":
        exposure = dice.whole(190, 262)
        return Light(
            time,
            sun,
            ambient=208,
            direct=26,
            gains=(exposure, exposure, exposure + 6),
            zenith=dice.near((196, 201, 206), 22),
            horizon=dice.near((214, 216, 218), 12),
            clouds=200,
            sight=far * dice.between(0.3, 0.9),
            lamps=dice.chance(0.3),
        )
    if time == "dusk":
        exposure = dice.whole(110, 170)
        return Light(
            time,
            sun,
            ambient=140,
            direct=110,
            gains=(exposure + 26, exposure, exposure - 4),
            zenith=dice.near((66, 76, 124), 16),
            horizon=dice.near((236, 158, 100), 26),
            clouds=dice.whole(40, 150),
            sight=far,
            lamps=True,
        )
    dark = dice.whole(28, 72)
    return Light(
        time,
        sun,
        ambient=190,
        direct=30,
        gains=(dark + 5, dark, dark - 3),
        zenith=dice.near((9, 11, 20), 6),
        horizon=dice.near((32, 29, 32), 10),
        clouds=60,
        sight=far,
        lamps=True,
    )


def paint_sky(canvas: Canvas, light: Light, dice: Dice, horizon: float) -> None:
    """A gradient from zenith to horizon with clouds. The sky is painted as seen, whatever the scene's gains."""
    height, width = canvas.tags.shape
    bottom = min(height, max(2, int(horizon) + 2))
    share = (np.arange(bottom) * 256 // bottom)[:, None]
    zenith, low = np.array(light.zenith), np.array(light.horizon)
    sky = np.repeat((zenith + ((low - zenith) * share >> 8)).astype(np.uint8)[:, None], width, axis=1)
    if light.clouds:
        # A cloud deck: its distance grows towards the horizon.
        far = 60.0 / (np.maximum(horizon + 30 - np.arange(bottom), 12.0) / height)
        across = (np.arange(width) - width / 2)[None] * far[:, None] / width
        shift = dice.between(0, 999)
        fleece = laid(noise(21), across + shift, far[:, None] + shift, 1.1)
        cover = np.clip((np.arange(256) + light.clouds - 256) * 3, 0, 200).astype(np.uint16).take(fleece)[..., None]
        white = (low + (255 - low) // (3 if light.time in ("day", "overcast") else 12)).astype(np.uint16)
        sky = (sky * (256 - cover) + white * cover) >> 8
    canvas.image[:bottom] = sky
    canvas.image[bottom:] = light.horizon
    canvas.tags[:] = 1


def illuminate(canvas: Canvas, light: Light, depth: np.ndarray) -> np.ndarray:
    """Apply the scene's gains and, by night, the own headlamps. ``depth`` is ``[H, W]`` in 1/16 m; returns RGB."""
    gains = np.array(light.gains, np.uint16)
    if light.time == "night":
        # In 128ths, so that a product fits 16 bits.
        gain = (gains * 3 >> 3) + (_beam(canvas, depth) >> 1)[..., None]
        picture = np.minimum(canvas.image * gain >> 7, 255).astype(np.uint8)
    else:
        curve = np.minimum(np.arange(256)[:, None] * gains.astype(np.int64) >> 8, 255)
        picture = cv2.LUT(canvas.image, curve.astype(np.uint8)[None])
    cv2.copyTo(canvas.image, (canvas.tags & 1).astype(np.uint8), picture)
    return picture


def haze(picture: np.ndarray, light: Light, depth: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Let distance fade into the colour of the horizon; ``sky`` ``[H, W]`` marks what has no distance."""
    metres = np.arange(int(FARTHEST) * DEPTH_STEPS + 1) / DEPTH_STEPS
    clear = np.floor(256 * light.sight**2 / (light.sight**2 + metres * metres)).astype(np.uint16)
    share = clear.take(depth)
    share[sky] = 256
    share = share[..., None]
    return ((picture * share + np.array(light.horizon, np.uint16) * (256 - share)) >> 8).astype(np.uint8)


def _beam(canvas: Canvas, depth: np.ndarray) -> np.ndarray:
    """Gain out of 256, uint16 ``[H, W]``, from the own headlamps: bright ahead and near, nothing beyond some 70 m."""
    metres = np.arange(int(FARTHEST) * DEPTH_STEPS + 1) / DEPTH_STEPS
    reach = np.floor(190.0 / (1.0 + (metres / 17.0) ** 2 * (metres / 17.0)))
    width = depth.shape[1]
    aside = (np.arange(width) - width / 2) / canvas.camera.focal
    cone = np.floor(256.0 / (1.0 + (aside * 2.6) ** 2 * (aside * 2.6) ** 2))
    return reach.astype(np.uint16).take(depth) * cone.astype(np.uint16)[None] >> 8
