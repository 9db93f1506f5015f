"""Tiles of noise, made once from integers, and how the ground wears them in perspective."""

from functools import lru_cache

import numpy as np

from perception.synthetic.dice import Dice

TILE = 256


@lru_cache(maxsize=8)
def noise(smoothing: int) -> np.ndarray:
    """A tile, uint8 ``[256, 256]``, that repeats seamlessly; ``smoothing`` is the size of its features in pixels.

    The values fill 0 to 255 evenly whatever the smoothing, so that a threshold is a share of the area.
    """
    values = (Dice(smoothing).numbers(TILE, TILE) * 65536).astype(np.int64)
    for _ in range(2 if smoothing > 1 else 0):
        for axis in (0, 1):
            values = np.sum([np.roll(values, shift, axis) for shift in range(smoothing)], axis=0)
    ranks = np.empty(TILE * TILE, np.int64)
    ranks[np.argsort(values, axis=None, kind="stable")] = np.arange(TILE * TILE)
    return (ranks * 256 // (TILE * TILE)).astype(np.uint8).reshape(TILE, TILE)


def laid(tile: np.ndarray, across: np.ndarray, along: np.ndarray, cell: float) -> np.ndarray:
    """A tile laid on a surface: uint8 of the shape ``across`` and ``along`` (metres) broadcast to.

    ``cell`` is the size of one tile pixel in metres.
    """
    rows = np.floor(along / cell).astype(np.int32) & (TILE - 1)
    columns = np.floor(across / cell).astype(np.int32) & (TILE - 1)
    return tile.ravel().take(rows * TILE + columns)


def spread(tile: np.ndarray, size: tuple[int, int], dice: Dice) -> np.ndarray:
    """A tile repeated over a picture of ``(height, width)`` from a random corner."""
    top, left = dice.whole(0, TILE - 1), dice.whole(0, TILE - 1)
    rows = (np.arange(size[0]) + top) & (TILE - 1)
    columns = (np.arange(size[1]) + left) & (TILE - 1)
    return tile.take(rows, axis=0).take(columns, axis=1)
