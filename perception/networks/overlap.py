"""How well boxes agree, with gradients: what box losses are made of.

Boxes are ``[..., 4]``: centre x, y, width, height in any one unit; leading dimensions broadcast.
"""

import math

import torch
from torch import Tensor

# Far below the area of any box that can be seen, in cells as in shares of the image.
_EPSILON = 1e-9


def corners(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Top left and bottom right corner, ``[..., 2]`` each."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return centre - half, centre + half


def generalised_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al., 2019), ``[...]`` each.

    The latter subtracts the share of the smallest box around both that neither covers; where it has no area, nothing.
    """
    iou, union = _iou_and_union(a, b)
    around = _area(_hull(a, b))
    return iou, iou - (around - union) / (around + _EPSILON)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU (Zheng et al., 2020), ``[...]``."""
    iou, _ = _iou_and_union(a, b)
    diagonal = _hull(a, b).square().sum(-1) + 1e-7
    distance = (a[..., :2] - b[..., :2]).square().sum(-1)
    angle = torch.atan(a[..., 2] / (a[..., 3] + 1e-7)) - torch.atan(b[..., 2] / (b[..., 3] + 1e-7))
    v = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        alpha = v / (1 - iou + v + 1e-7)
    return iou - distance / diagonal - alpha * v


def _iou_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    overlap = _area((torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0))
    union = _area(a[..., 2:]) + _area(b[..., 2:]) - overlap
    return overlap / (union + _EPSILON), union


def _hull(a: Tensor, b: Tensor) -> Tensor:
    """Width and height of the smallest box around both, ``[..., 2]``."""
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    return torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)


def _area(sides: Tensor) -> Tensor:
    return sides[..., 0] * sides[..., 1]
