"""The losses RMT-PPAD is trained with, one a task; weights and rules are the published ones.

Everything is computed in float32, whatever type the predictions come in.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from perception.networks.divergence import divergence
from perception.networks.overlap import generalised_iou
from perception.networks.rmt_ppad.focal import focal_loss, varifocal_loss
from perception.networks.rmt_ppad.matching import Pairs, match

L1_GAIN = 5.0
GIOU_GAIN = 2.0
FOCAL_GAIN = 24.0
SECOND_GAIN = 8.0
EMPTY_GAMMA = 1.5
MISS_WEIGHT = 0.7
FALSE_ALARM_WEIGHT = 0.3
# Of 300 queries nearly all see nothing; their scores stay below.
FAINT = 0.05


def detection_loss(boxes: Tensor, logits: Tensor, truth: Tensor, sure: Tensor | None = None) -> Tensor:
    """Classification, L1 and GIoU loss of the best one-to-one match, summed over layers, per true box.

    A batch without any box has only scores to lower, by focal loss.

    Args:
        boxes: ``[L, N, Q, 4]`` centre x, y, width, height, in [0, 1] of the image; every layer is matched by itself.
        logits: ``[L, N, Q, 1]``.
        truth: ``[M, 5]`` index of the image in the batch, then a box like ``boxes``.
        sure: ``[M]``, the probability that each box is there; 1 where absent.
    """
    boxes, logits, truth = boxes.float(), logits.float(), truth.float()
    if not len(truth):
        return focal_loss(logits, torch.zeros_like(logits), EMPTY_GAMMA).sum()
    return paired_loss(boxes, logits, match(boxes, logits, truth, sure))


def detection_imitation(boxes: Tensor, logits: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
    """The detection loss towards another network's boxes: each counts, and is scored, as sure as that one is of it.

    Args:
        boxes: ``[L, N, Q, 4]`` centre x, y, width, height, in [0, 1] of the image.
        logits: ``[L, N, Q, 1]``.
        seen: ``[N, R, 4]``, boxes of the other.
        scores: ``[N, R]``, its probabilities; those below ``FAINT`` are nothing.
    """
    image, query = (scores >= FAINT).nonzero(as_tuple=True)
    truth = torch.cat((image[:, None].to(seen.dtype), seen[image, query]), 1)
    return detection_loss(boxes, logits, truth, scores[image, query].float())


def paired_loss(boxes: Tensor, logits: Tensor, pairs: Pairs) -> Tensor:
    """The three terms for a given match: a query learns the IoU with its box, times how sure that is; one in no pair 0.

    Args:
        boxes: ``[L, N, Q, 4]``.
        logits: ``[L, N, Q, 1]``.
        pairs: at least one, the same number in every layer.

    Returns:
        The sum over layers, divided by the pairs in each, each counted by how sure its box is.
    """
    boxes, scores = boxes.float(), logits.float().squeeze(-1)
    at = pairs.layer, pairs.image, pairs.query
    found = boxes[at]
    iou, giou = generalised_iou(found, pairs.truth)
    quality = torch.zeros_like(scores)
    quality[at] = pairs.sure * iou.detach()
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[at] = True
    total = (
        varifocal_loss(scores, quality, positive).sum()
        + L1_GAIN * (pairs.sure * (found - pairs.truth).abs().sum(-1)).sum()
        + GIOU_GAIN * (pairs.sure * (1 - giou)).sum()
    )
    return total / (pairs.sure.sum() / len(boxes))


def drivable_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss and binary cross-entropy, means over all pixels; logits and a 0/1 mask ``[N, H, W]``."""
    logits, target = logits.float(), target.float()
    return FOCAL_GAIN * focal_loss(logits, target).mean() + SECOND_GAIN * F.binary_cross_entropy_with_logits(
        logits, target
    )


def lane_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Focal loss, a mean over all pixels, and Tversky loss; logits and a 0/1 mask ``[N, H, W]``."""
    logits, target = logits.float(), target.float()
    return FOCAL_GAIN * focal_loss(logits, target).mean() + SECOND_GAIN * tversky_loss(logits.sigmoid(), target)


def mask_imitation(logits: Tensor, other: Tensor) -> Tensor:
    """Divergence of a mask's probabilities from another network's; logits ``[N, H, W]``."""
    return SECOND_GAIN * divergence(logits, other)


def tversky_loss(probability: Tensor, target: Tensor) -> Tensor:
    """1 - (TP + 1) / (TP + 0.7 FN + 0.3 FP + 1) with soft counts over the whole batch (Salehi et al., 2017)."""
    hits = (probability * target).sum()
    misses = target.sum() - hits
    false_alarms = probability.sum() - hits
    return 1 - (hits + 1) / (hits + MISS_WEIGHT * misses + FALSE_ALARM_WEIGHT * false_alarms + 1)
