"""The losses YOLOP is trained with, one a task.

Gains and rules are the published ones (box CIoU 0.05, objectness 1 with balance 4 / 1 / 0.4 by stride, masks 0.2,
lane IoU 0.2, anchor ratio below 4) with two corrections: the published code feeds sigmoid scores to a loss that applies
the sigmoid again, and takes the lane IoU of an argmax, which has no gradient. Here the two channels of a mask meet in
one cross-entropy, whose decision is the same argmax, and the lane IoU is that of probabilities. The class term is
absent because the published network has one class and gain 0 for it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from perception.networks.base import Raw, Targets
from perception.networks.divergence import divergence
from perception.networks.overlap import complete_iou
from perception.tasks import DETECTION, DRIVABLE, LANE

BOX_GAIN = 0.05
OBJECTNESS_GAIN = 1.0
MASK_GAIN = 0.2
LANE_IOU_GAIN = 0.2
OBJECTNESS_BALANCE = (4.0, 1.0, 0.4)
ANCHOR_RATIO = 4.0


def yolop_losses(raw: Raw, targets: Targets, anchors: Tensor) -> dict[str, Tensor]:
    """Loss by task.

    Args:
        raw: what ``YOLOP.forward`` returns.
        targets: labels in input pixels.
        anchors: ``[3, 3, 2]``, width and height in cells of their stride.
    """
    lane = raw[LANE].float()
    return {
        DETECTION: detection_loss(raw[DETECTION], targets.boxes, anchors, strides=(8, 16, 32)),
        DRIVABLE: MASK_GAIN * F.cross_entropy(raw[DRIVABLE].float(), targets.drivable.long()),
        LANE: MASK_GAIN * F.cross_entropy(lane, targets.lane.long())
        + LANE_IOU_GAIN * soft_iou_loss(lane, targets.lane),
    }


def yolop_imitation(raw: Raw, answer: Raw, anchors: Tensor) -> dict[str, Tensor]:
    """How far outputs are from a teacher's, by task; 0 where they are the same. Gains are those of
    :func:`yolop_losses`.

    Args:
        raw: what ``YOLOP.forward`` returns.
        answer: the same of the teacher.
        anchors: ``[3, 3, 2]``, width and height in cells of their stride.
    """
    masks = {task: divergence(_foreground(raw[task]), _foreground(answer[task])) for task in (DRIVABLE, LANE)}
    return {
        DETECTION: detection_imitation(raw[DETECTION], answer[DETECTION], anchors),
        **{task: MASK_GAIN * apart for task, apart in masks.items()},
    }


def detection_imitation(maps: list[Tensor], answers: list[Tensor], anchors: Tensor) -> Tensor:
    """Divergence of objectness, and 1 - CIoU of boxes weighed by the teacher's, over three maps ``[N, 3, h, w, 6]``."""
    total = maps[0].new_zeros((), dtype=torch.float32)
    for level, (mine, other) in enumerate(zip(maps, answers, strict=True)):
        mine, other = mine.float(), other.float()
        sure = other[..., 4].sigmoid()
        apart = 1 - complete_iou(_boxes(mine, anchors[level]), _boxes(other, anchors[level]))
        total = total + BOX_GAIN * (sure * apart).sum() / (sure.sum() + 1)
        total = total + OBJECTNESS_GAIN * OBJECTNESS_BALANCE[level] * divergence(mine[..., 4], other[..., 4])
    return total


def _boxes(logits: Tensor, anchors: Tensor) -> Tensor:
    """``[N, 3, h, w, 6]`` to boxes in cells ``[N, 3, h, w, 4]``, their centres relative to the cell."""
    centre = logits[..., 0:2].sigmoid() * 2 - 0.5
    return torch.cat((centre, (logits[..., 2:4].sigmoid() * 2) ** 2 * anchors.view(1, -1, 1, 1, 2)), -1)


def _foreground(logits: Tensor) -> Tensor:
    """``[N, 2, H, W]`` of background and foreground to the logit of foreground ``[N, H, W]``."""
    return logits[:, 1] - logits[:, 0]


def soft_iou_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - IoU of foreground probabilities ``[N, 2, H, W]`` (softmax) with a 0/1 mask ``[N, H, W]``, over the batch."""
    probability = logits.softmax(1)[:, 1]
    truth = mask.to(probability.dtype)
    overlap = (probability * truth).sum()
    union = probability.sum() + truth.sum() - overlap
    return 1 - (overlap + 1) / (union + 1)


def detection_loss(maps: list[Tensor], boxes: Tensor, anchors: Tensor, strides: tuple[int, ...]) -> Tensor:
    """Box and objectness loss over three maps of logits ``[N, 3, h, w, 6]``; ``boxes`` as in ``Targets``."""
    box_loss = maps[0].new_zeros(())
    objectness_loss = maps[0].new_zeros(())
    for level, (logits, stride) in enumerate(zip(maps, strides, strict=True)):
        logits = logits.float()
        objectness = logits.new_zeros(logits.shape[:4])
        image, anchor, row, column, truth = assign(boxes, anchors[level], stride, logits.shape[2:4])
        if len(image):
            y = logits[image, anchor, row, column]
            cell = torch.stack((column, row), 1)
            centre = y[:, 0:2].sigmoid() * 2 - 0.5 + cell
            size = (y[:, 2:4].sigmoid() * 2) ** 2 * anchors[level][anchor]
            iou = complete_iou(torch.cat((centre, size), 1), truth)
            box_loss = box_loss + (1 - iou).mean()
            # Several boxes may claim a cell; the best fit decides, whatever their order.
            flat = objectness.view(-1)
            index = ((image * 3 + anchor) * logits.shape[2] + row) * logits.shape[3] + column
            flat.scatter_reduce_(0, index, iou.detach().clamp(min=0), "amax")
        objectness_loss = objectness_loss + OBJECTNESS_BALANCE[level] * F.binary_cross_entropy_with_logits(
            logits[..., 4], objectness
        )
    return BOX_GAIN * box_loss + OBJECTNESS_GAIN * objectness_loss


def assign(
    boxes: Tensor, anchors: Tensor, stride: int, shape: tuple[int, int] | torch.Size
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Which cells and anchors of one stride answer for which boxes.

    An anchor answers where neither side differs from the box's by ``ANCHOR_RATIO`` or more; the cell of the box's
    centre answers and so do its two nearest neighbours, since a centre may lie half a cell outside its own.

    Args:
        boxes: ``[M, 5]`` image, x1, y1, x2, y2 in pixels.
        anchors: ``[A, 2]`` width, height in cells.
        stride: pixels a cell.
        shape: rows and columns of the map.

    Returns:
        Image, anchor, row and column (int64 ``[P]``) and the box in cells (centre x, y, width, height; ``[P, 4]``).
    """
    corners = boxes[:, 1:] / stride
    truth = torch.cat(((corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]), 1)
    ratio = truth[:, None, 2:] / anchors[None]
    fits = torch.maximum(ratio, 1 / ratio).amax(2) < ANCHOR_RATIO
    box, anchor = fits.nonzero(as_tuple=True)
    truth, image = truth[box], boxes[box, 0].long()

    offset = truth[:, :2] - truth[:, :2].floor()
    step = torch.where(offset < 0.5, -1, 1)
    nothing = torch.zeros_like(step[:, 0])
    steps = torch.stack(
        (torch.zeros_like(step), torch.stack((step[:, 0], nothing), 1), torch.stack((nothing, step[:, 1]), 1)), 1
    )
    cells = truth[:, None, :2].floor().long() + steps
    limit = torch.tensor((shape[1], shape[0]), device=boxes.device)
    inside = ((cells >= 0) & (cells < limit)).all(2)
    pair, which = inside.nonzero(as_tuple=True)
    column, row = cells[pair, which].unbind(1)
    return image[pair], anchor[pair], row, column, truth[pair]
