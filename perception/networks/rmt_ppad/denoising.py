"""Contrastive denoising: extra queries that are true boxes moved a little, to be put right, or moved too far, to be
refused (Zhang et al., "DINO", 2022). They teach the decoder without waiting for the matching to settle.

They go through the decoder in a pass of their own, so that the queries that find vehicles cannot see them; in DINO
they may look at those in turn, here they see their own group alone.

The published label noise tells some queries a class drawn anew. There is one class here, so it would change nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from perception.networks.overlap import corners
from perception.networks.rmt_ppad.losses import paired_loss
from perception.networks.rmt_ppad.matching import Pairs

# Keeps the inverse sigmoid of boxes that touch the border finite.
_MARGIN = 1e-5


class Noised(NamedTuple):
    """Denoising queries of a batch, D an image, and what its P positive ones should become.

    Attributes:
        present: bool ``[N, D]``, whether a query stands for a vehicle; false where an image has fewer boxes than the
            fullest: padding, which is told no class.
        boxes: ``[N, D, 4]`` inverse sigmoids of centre x, y, width, height; 0 where padding.
        attention_mask: bool ``[D, D]``, true where a query (row) must not see another (column).
        image, query: int64 ``[P]``, where the positive queries stand.
        truth: ``[P, 4]`` centre x, y, width, height of their boxes, in [0, 1] of the image.
    """

    present: Tensor
    boxes: Tensor
    attention_mask: Tensor
    image: Tensor
    query: Tensor
    truth: Tensor


def noised_queries(
    truth: Tensor,
    batch_size: int,
    generator: torch.Generator | None = None,
    queries: int = 100,
    box_noise: float = 1.0,
) -> Noised | None:
    """Make groups of queries, each with every box of the image twice: moved a little, and moved too far.

    A corner of a positive box moves by less than half the box's side times ``box_noise`` along each axis, one of a
    negative box by half to a whole side. There are as many groups as positives fit into ``queries``, at least one.

    Args:
        truth: ``[M, 5]`` index of the image in the batch, then centre x, y, width, height, in [0, 1] of the image.
        batch_size: N.
        generator: source of the noise, on the device of ``truth``.
        queries: positive queries an image.
        box_noise: scale of the noise.

    Returns:
        The queries, in the order group, kind (positive, negative), box; None where there is no box at all.
    """
    if not len(truth):
        return None
    image, boxes = truth[:, 0].long(), truth[:, 1:].float()
    # The number of each box within its image.
    slot = (image[:, None] == image).tril(-1).sum(1)
    width = int(slot.max()) + 1
    groups = max(1, queries // width)
    shape = (batch_size, groups, 2, width)

    moved = torch.zeros(*shape, 4, device=truth.device)
    moved[image, :, :, slot] = _move(boxes, groups, box_noise, generator).logit(_MARGIN)
    present = torch.zeros(shape, dtype=torch.bool, device=truth.device)
    present[image, :, :, slot] = True

    start = 2 * width * torch.arange(groups, device=truth.device)
    group = torch.arange(groups, device=truth.device).repeat_interleave(2 * width)
    return Noised(
        present=present.flatten(1),
        boxes=moved.flatten(1, 3),
        attention_mask=group[:, None] != group,
        image=image.repeat(groups),
        query=(start[:, None] + slot).flatten(),
        truth=boxes.repeat(groups, 1),
    )


def denoising_loss(boxes: Tensor, logits: Tensor, noised: Noised) -> Tensor:
    """The detection loss of denoising queries: positives answer for their own boxes, nothing is matched.

    Args:
        boxes: ``[L, N, D, 4]`` centre x, y, width, height, in [0, 1] of the image, what the decoder made of ``noised``.
        logits: ``[L, N, D, 1]``.
        noised: from :func:`noised_queries`.
    """
    layers, positives = len(boxes), len(noised.query)
    layer = torch.arange(layers, device=boxes.device).repeat_interleave(positives)
    truth = noised.truth.repeat(layers, 1)
    sure = torch.ones_like(truth[:, 0])
    pairs = Pairs(layer, noised.image.repeat(layers), noised.query.repeat(layers), truth, sure)
    return paired_loss(boxes, logits, pairs)


def _move(boxes: Tensor, groups: int, scale: float, generator: torch.Generator | None) -> Tensor:
    """``[M, 4]`` boxes to ``[M, groups, 2, 4]`` noisy ones within the image, positives first."""
    shape = (len(boxes), groups, 2, 4)
    distance = torch.rand(shape, generator=generator, device=boxes.device)
    distance[:, :, 1] += 1
    sign = 2 * torch.randint(0, 2, shape, generator=generator, device=boxes.device) - 1
    half = boxes[:, 2:].repeat(1, 2) / 2
    noise = scale * sign * distance * half[:, None, None]
    low, high = (torch.cat(corners(boxes), 1)[:, None, None] + noise).clamp(0, 1).split(2, -1)
    # Where the corners of a negative passed each other nothing is left; swapped, they would make a fair match.
    return torch.cat(((low + high) / 2, (high - low).clamp(min=0)), -1)
