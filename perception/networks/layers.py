"""What the networks of this project are made of in common."""

import math

import torch
from torch import Tensor, nn

from perception.errors import require


class Upsample(nn.Upsample):
    """Twice the size, nearest neighbour."""

    def __init__(self):
        super().__init__(scale_factor=2, mode="nearest")


class Concat(nn.Module):
    """Join along channels."""

    def forward(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, 1)


def chain(modules: nn.ModuleList, x: Tensor) -> Tensor:
    """``x`` through one module after the other."""
    for module in modules:
        x = module(x)
    return x


def scaled(channels: int, width: float) -> int:
    """A channel count times a width multiplier; below and above 1 rounded up to a multiple of 8."""
    return channels if width == 1 else max(8, 8 * math.ceil(channels * width / 8))


def check_width(width: float) -> None:
    """Raise :class:`~perception.errors.InputError` for a width multiplier that makes no network."""
    require(0 < width <= 4, "width", width, "must be above 0 and at most 4")
