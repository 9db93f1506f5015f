"""What lies on the ground and is no marking: seams, cracks, patches, rails, skid marks, shadows; and its grain."""

import cv2
import numpy as np

from perception.synthetic.canvas import ASPHALT, FIRST_OBJECT, GROUND, SKY, Canvas
from perception.synthetic.dice import Dice, scaled
from perception.synthetic.light import Light
from perception.synthetic.road import START, Road, Surface
from perception.synthetic.texture import laid, noise, spread


def paint_clutter(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    """Things on the asphalt that a lane detector must learn to ignore."""
    if dice.chance(0.35):
        for _ in range(dice.whole(1, 4)):
            _repair(canvas, road, surface, dice)
    if dice.chance(0.4):
        _seams(canvas, road, surface, dice)
    if dice.chance(0.35):
        for _ in range(dice.whole(1, 6)):
            _crack(canvas, road, surface, dice)
    if dice.chance(0.08):
        _tram_rails(canvas, road, dice)
    if dice.chance(0.15):
        _skid_marks(canvas, road, surface, dice)
    for _ in range(dice.whole(0, 2)):
        _manhole(canvas, road, surface, dice)


def _repair(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    left, right = road.edges
    begin, offset = dice.between(3, 40), dice.between(left, right - 1)
    patch = road.strip(offset, offset + dice.between(0.8, 3), begin, begin + dice.between(1, 10))
    canvas.fill_world(patch, scaled(surface.asphalt, dice.whole(190, 300)), ASPHALT)


def _seams(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    gain = 150 if dice.chance(0.7) else 320
    for _ in range(dice.whole(1, 3)):
        offset = dice.between(*road.edges)
        seam = road.strip(offset, offset + dice.between(0.04, 0.1), 1.5, dice.between(20, 80))
        canvas.fill_world(seam, scaled(surface.asphalt, gain), ASPHALT)


def _tram_rails(canvas: Canvas, road: Road, dice: Dice) -> None:
    left, right = road.edges
    middle = dice.between(left + 2, right - 2)
    for offset in (middle - 0.72, middle + 0.72):
        rail = road.strip(offset - 0.05, offset + 0.05)
        canvas.fill_world(rail, dice.near((136, 138, 142), 20), ASPHALT)


def _skid_marks(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    offset, begin = dice.between(*road.edges), dice.between(3, 20)
    for shift in (0.0, 1.5):
        skid = road.strip(offset + shift, offset + shift + 0.18, begin, begin + dice.between(5, 25))
        canvas.fill_world(skid, scaled(surface.asphalt, 170), ASPHALT)


def _crack(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    along, offset = dice.between(3, 30), dice.between(*road.edges)
    heading = dice.between(-1, 1)
    knots = np.arange(7)
    aside = offset + knots * heading * 0.5 + dice.numbers(7) * 0.5
    ahead = along + knots * (1.2 - abs(heading)) + dice.numbers(7) * 0.4
    width = dice.between(0.015, 0.045)
    outline = np.concatenate([road.points(ahead, aside - width), road.points(ahead, aside + width)[::-1]])
    canvas.fill_world(outline, scaled(surface.asphalt, 130), ASPHALT)


def _manhole(canvas: Canvas, road: Road, surface: Surface, dice: Dice) -> None:
    angles = np.arange(16) * (np.pi / 8)
    along, offset = dice.between(4, 30), dice.between(*road.edges)
    rim = road.points(along + 0.35 * np.sin(angles), offset + 0.35 * np.cos(angles))
    canvas.fill_world(rim, scaled(surface.asphalt, dice.whole(150, 210)), ASPHALT)


def grain(canvas: Canvas, depths: np.ndarray, dice: Dice, roughness: int) -> None:
    """Give the ground its texture: fine grain, broad stains, tufts on the verge. ``depths`` ``[H]``, metres by row."""
    horizon = int((depths >= 200).sum())
    part = slice(horizon, None)
    owners = canvas.owners[part]
    if not owners.size:
        return
    along = depths[part, None]
    across = canvas.camera.across(depths[part]) + dice.between(0, 50)
    fine = laid(noise(2), across, along, 0.025).astype(np.int16) - 128
    broad = laid(noise(21), across, along * 0.3, 0.14).astype(np.int16) - 128
    change = (fine * roughness >> 5) * np.where(owners == GROUND, 2, 1).astype(np.int16) + (broad * roughness >> 6)
    change[owners == SKY] = 0
    canvas.image[part] = cv2.add(canvas.image[part], cv2.merge([change] * 3), dtype=cv2.CV_8U)


def shadows(
    canvas: Canvas, road: Road, light: Light, dice: Dice, footprints: list[np.ndarray], depths: np.ndarray
) -> None:
    """Darken the ground under vehicles and, in sunshine, below trees, wires and buildings."""
    sunny = light.direct > 60
    strength = 150 if sunny else 105
    plane = np.zeros(canvas.tags.shape, np.uint8)
    if sunny and dice.chance(0.5):
        if dice.chance(0.5):
            plane[:] = _foliage(canvas, dice, depths, strength - 30)
        for _ in range(dice.whole(0, 5)):
            canvas.mask(plane, [canvas.camera.project(_bar(road, dice))], strength - 20)
    for outline in footprints:
        pixels = canvas.camera.polygon(outline)
        if pixels is not None:
            canvas.mask(plane, [pixels], strength)
    plane[canvas.owners == SKY] = 0
    canvas.blend(plane, (8, 10, 16))


def _foliage(canvas: Canvas, dice: Dice, depths: np.ndarray, strength: int) -> np.ndarray:
    """The dappled shade of leaves, ``[H, W]``."""
    shade = laid(noise(7), canvas.camera.across(depths), depths[:, None], 0.3).astype(np.int32)
    threshold = min(dice.whole(100, 190), dice.whole(100, 190))
    return np.clip((shade - threshold) * 4, 0, strength) * (depths < 120)[:, None]


def _bar(road: Road, dice: Dice) -> np.ndarray:
    """The outline of a shadow across the road: narrow as of a pole, or broad as of a house."""
    begin, slant = dice.between(4, 45), dice.between(-3, 3)
    wide = dice.between(0.15, 0.5) if dice.chance(0.6) else dice.between(1, 5)
    offsets = np.linspace(-14.0, 14.0, 9)
    along = np.maximum(begin + offsets / 14 * slant, START)
    return np.concatenate([road.points(along, offsets), road.points(along + wide, offsets)[::-1]])


def mottle(canvas: Canvas, smooth: list[int], dice: Dice) -> None:
    """Give walls, leaves and whatever else is not polished a mottled surface; ``smooth`` owners are spared."""
    rough = np.ones(len(canvas.depths), np.int16)
    rough[[*range(FIRST_OBJECT), *smooth]] = 0
    tile = (noise(2).astype(np.int16) + noise(9) - 256) >> 4
    change = spread(tile, canvas.tags.shape, dice) * rough.take(canvas.owners)
    canvas.image[:] = cv2.add(canvas.image, cv2.merge([change] * 3), dtype=cv2.CV_8U)
