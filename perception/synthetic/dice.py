"""Seeded chance: the only source of randomness of a synthetic scene."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Colour = tuple[int, int, int]


class Dice:
    """Draws that are the same on every machine: PCG64, and only NumPy's ``random``, whose stream is fixed.

    The key is one or more whole numbers from 0; zeros at its end do not count.
    """

    def __init__(self, *key: int):
        self._random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(key))).random

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self._random()

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random() < probability

    def whole(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[self.whole(0, len(options) - 1)]

    def weighted(self, weights: dict[T, float]) -> T:
        """A key of ``weights``, as likely as its share."""
        left = self._random() * sum(weights.values())
        options = list(weights)
        for option in options[:-1]:
            left -= weights[option]
            if left < 0:
                return option
        return options[-1]

    def near(self, colour: Colour, spread: int) -> Colour:
        """A colour whose brightness and hue stray up to ``spread`` levels from the one given."""
        common = self.whole(-spread, spread)
        red, green, blue = (min(255, max(0, c + common + self.whole(-spread // 3, spread // 3))) for c in colour)
        return red, green, blue

    def numbers(self, *shape: int) -> np.ndarray:
        """Float64 numbers in [0, 1) of the given shape."""
        return self._random(shape)


def scaled(colour: Colour, gain: int) -> Colour:
    """The colour times ``gain`` / 256, saturated."""
    red, green, blue = (min(255, c * gain >> 8) for c in colour)
    return red, green, blue
