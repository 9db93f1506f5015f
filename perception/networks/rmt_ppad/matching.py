"""Which query answers for which vehicle: one each, at the least cost over the image (Carion et al., 2020)."""

from typing import NamedTuple

import torch
from torch import Tensor

from perception.networks.overlap import generalised_iou
from perception.networks.rmt_ppad.focal import focal_loss

CLASS_COST = 2.0
L1_COST = 5.0
GIOU_COST = 2.0


class Pairs(NamedTuple):
    """P predictions and the boxes they answer for.

    Attributes:
        layer, image, query: int64 ``[P]``, where the prediction stands in ``[L, N, Q]``.
        truth: ``[P, 4]`` centre x, y, width, height, in [0, 1] of the image.
        sure: ``[P]``, the probability that such a box is there; 1 of what is labelled.
    """

    layer: Tensor
    image: Tensor
    query: Tensor
    truth: Tensor
    sure: Tensor


@torch.no_grad()
def match(boxes: Tensor, logits: Tensor, truth: Tensor, sure: Tensor | None = None) -> Pairs:
    """Match every layer by itself.

    Args:
        boxes: ``[L, N, Q, 4]`` centre x, y, width, height, in [0, 1] of the image.
        logits: ``[L, N, Q, 1]``.
        truth: ``[M, 5]`` index of the image in the batch, then a box like ``boxes``.
        sure: ``[M]``, see :class:`Pairs`; 1 where absent.

    Returns:
        ``min(Q, boxes of the image)`` pairs for every layer and image.
    """
    # Needed by training alone, not by those who load a network to evaluate or export it.
    from scipy.optimize import linear_sum_assignment

    owner = truth[:, 0].long().tolist()
    rows = {image: [row for row, value in enumerate(owner) if value == image] for image in set(owner)}
    # All costs are asked of the device before the first is waited for.
    costs = {image: cost(boxes[:, image], logits[:, image], truth[mine, 1:]) for image, mine in rows.items()}
    found = [
        (layer, image, query, rows[image][column])
        for image, matrices in costs.items()
        for layer, matrix in enumerate(matrices.cpu().numpy())
        for query, column in zip(*linear_sum_assignment(matrix), strict=True)
    ]
    layer, image, query, row = torch.tensor(found, device=boxes.device).view(-1, 4).long().unbind(1)
    sure = torch.ones_like(truth[:, 0]) if sure is None else sure
    return Pairs(layer, image, query, truth[row, 1:], sure[row])


def cost(boxes: Tensor, logits: Tensor, truth: Tensor) -> Tensor:
    """What it costs each query to answer for each box.

    Args:
        boxes: ``[..., Q, 4]``.
        logits: ``[..., Q, 1]``.
        truth: ``[G, 4]``.

    Returns:
        ``[..., Q, G]``, finite even where predictions are not, since one bad batch must not end a run.
    """
    focal = focal_loss(logits, torch.ones_like(logits)) - focal_loss(logits, torch.zeros_like(logits))
    pairwise = boxes.unsqueeze(-2)
    distance = (pairwise - truth).abs().sum(-1)
    _, giou = generalised_iou(pairwise, truth)
    return (CLASS_COST * focal + L1_COST * distance - GIOU_COST * giou).nan_to_num()
