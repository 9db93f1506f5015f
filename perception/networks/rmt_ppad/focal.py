"""Cross-entropies that dwell on what is not yet right, element by element."""

import torch
import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, target: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Focal loss (Lin et al., 2017): -alpha (1 - p)^gamma log p where ``target`` is 1, and
    -(1 - alpha) p^gamma log(1 - p) where it is 0; p is the sigmoid of ``logits``. Same shape as both."""
    wrong = torch.where(target > 0, -logits, logits)
    weight = torch.where(target > 0, alpha, 1 - alpha)
    return weight * wrong.sigmoid().pow(gamma) * F.softplus(wrong)


def varifocal_loss(
    logits: Tensor, quality: Tensor, positive: Tensor, gamma: float = 2.0, alpha: float = 0.75
) -> Tensor:
    """Varifocal loss (Zhang et al., 2021): a positive learns its quality q, weighted by it, and anything else 0.

    -q (q log p + (1 - q) log(1 - p)) where ``positive``, -alpha p^gamma log(1 - p) elsewhere.

    Args:
        logits: any shape.
        quality: same shape, in [0, 1], 0 where not positive: the IoU of a box with the truth it stands for.
        positive: same shape, bool.
    """
    weight = torch.where(positive, quality, alpha * logits.sigmoid().pow(gamma))
    return weight * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
