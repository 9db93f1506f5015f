"""How far answers are from a teacher's, where both are probabilities."""

import torch.nn.functional as F
from torch import Tensor


def divergence(logits: Tensor, other: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of Bernoulli distributions, element by element: 0 where both are the same.

    Unlike losses made for labels (overlaps, weights on the rare class), it is least at the other's very probabilities
    and not at something wider.

    Args:
        logits: of what is learned, any shape.
        other: logits of what it should become, same shape.
    """
    logits, other = logits.float(), other.float()
    target = other.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(other, target)
    return F.binary_cross_entropy_with_logits(logits, target) - entropy
