import math

import pytest
import torch

from perception.networks.base import Targets
from perception.networks.yolop import ANCHORS, STRIDES
from perception.networks.yolop_loss import assign, detection_loss, soft_iou_loss, yolop_imitation, yolop_losses
from perception.tasks import DETECTION, DRIVABLE, LANE, TASKS

CELLS = torch.tensor(ANCHORS, dtype=torch.float32) / torch.tensor(STRIDES).view(3, 1, 1)


def assigned(boxes, anchors=((2.0, 2.0),), shape=(4, 6), stride=8):
    image, anchor, row, column, truth = assign(torch.tensor(boxes), torch.tensor(anchors), stride, shape)
    pairs = zip(image.tolist(), anchor.tolist(), row.tolist(), column.tolist(), strict=True)
    return sorted(pairs), truth


def test_the_cell_and_its_two_nearest_neighbours_answer():
    # Centre (20, 12): cell column 2.5, row 1.5; at exactly half the neighbours are the later ones.
    assert assigned([[0.0, 12, 4, 28, 20]])[0] == [(0, 0, 1, 2), (0, 0, 1, 3), (0, 0, 2, 2)]
    # Centre (18, 14): column 2.25, row 1.75, hence left and below.
    cells, truth = assigned([[1.0, 10, 6, 26, 22]])
    assert cells == [(1, 0, 1, 1), (1, 0, 1, 2), (1, 0, 2, 2)]
    assert truth.tolist() == [[2.25, 1.75, 2, 2]] * 3


def test_neighbours_outside_the_map_do_not_answer():
    assert assigned([[0.0, -6, -6, 10, 10]])[0] == [(0, 0, 0, 0)]  # centre (2, 2)
    assert assigned([[0.0, 38, 22, 54, 38]])[0] == [(0, 0, 3, 5)]  # centre (46, 30), the last cell
    assert assigned([[0.0, 60, 60, 76, 76]])[0] == []


def test_only_anchors_of_a_similar_shape_answer():
    anchors = ((2.0, 2.0), (2.0, 7.9), (0.5, 2.0), (0.51, 2.0), (8.1, 2.0))
    cells, _ = assigned([[0.0, 12, 4, 28, 20]], anchors)
    assert {anchor for _, anchor, _, _ in cells} == {0, 1, 3}


def test_boxes_without_extent_have_no_anchor():
    assert assigned([[0.0, 8, 8, 8, 20], [0.0, 8, 8, 8, 8]])[0] == []
    image, *_ = assign(torch.zeros(0, 5), torch.ones(3, 2), 8, (4, 6))
    assert len(image) == 0


def mask_logits(probability):
    odds = torch.log(probability / (1 - probability))
    return torch.stack((torch.zeros_like(odds), odds), 1)


def test_soft_iou_by_hand():
    probability = torch.tensor([[[0.9, 0.5], [0.2, 0.4]]])
    truth = torch.tensor([[[1, 0], [0, 1]]], dtype=torch.uint8)
    overlap, union = 1.3, 2.0 + 2 - 1.3
    assert soft_iou_loss(mask_logits(probability), truth).item() == pytest.approx(1 - (overlap + 1) / (union + 1))


def test_soft_iou_of_right_wrong_and_empty():
    truth = torch.zeros(1, 8, 8, dtype=torch.uint8)
    truth[:, :4] = 1
    sure = torch.where(truth > 0, 1 - 1e-6, 1e-6)
    assert soft_iou_loss(mask_logits(sure), truth) < 1e-3
    assert soft_iou_loss(mask_logits(1 - sure), truth) > 0.95
    assert soft_iou_loss(mask_logits(torch.full((1, 8, 8), 1e-6)), torch.zeros_like(truth)) < 1e-3


def maps(value=0.0):
    return [torch.full((2, 3, 64 // s, 96 // s, 6), value, requires_grad=True) for s in STRIDES]


def test_loss_without_boxes_is_objectness_alone():
    loss = detection_loss(maps(), torch.zeros(0, 5), CELLS, STRIDES)
    assert loss.item() == pytest.approx((4 + 1 + 0.4) * math.log(2))


def test_loss_of_one_box_by_hand():
    """One small box that only the first stride's first anchor's size can explain, with logits of zero everywhere."""
    anchors = torch.tensor([[[2.0, 2.0]] * 3, [[99.0, 99.0]] * 3, [[99.0, 99.0]] * 3])
    box = torch.tensor([[0.0, 12, 4, 28, 20]])  # column 2.5, row 1.5, two cells wide
    # Zero logits predict the cell's middle: right in its own cell, one cell off in the neighbours.
    ious = [1.0, *(1 / 3 - 1 / 13,) * 2]
    loss = detection_loss(maps(), box, anchors, STRIDES)
    box_loss = sum(1 - iou for iou in ious) / 3
    # At probability a half the cross-entropy is ln 2 whatever its target.
    assert loss.item() == pytest.approx(0.05 * box_loss + 5.4 * math.log(2), abs=1e-5)


def test_following_the_gradient_lowers_the_loss():
    logits, boxes = maps(), torch.tensor([[0.0, 12, 4, 28, 20], [1.0, 30, 10, 70, 60]])
    losses = []
    for _ in range(30):
        loss = detection_loss(logits, boxes, CELLS, STRIDES)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, logits)
        logits = [(part - 20 * step).detach().requires_grad_() for part, step in zip(logits, gradients, strict=True)]
    assert losses[-1] < 0.5 * losses[0]


def test_order_of_boxes_does_not_matter():
    boxes = torch.tensor([[0.0, 12, 4, 28, 20], [0.0, 14, 4, 30, 22], [0.0, 10, 6, 26, 20]])
    logits = [part + 0.3 * torch.arange(part.numel()).remainder(7).view(part.shape) for part in maps()]
    losses = [detection_loss(logits, order, CELLS, STRIDES) for order in (boxes, boxes.flip(0))]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)


@pytest.mark.parametrize(
    "boxes",
    [[], [[0.0, 5, 5, 5, 5]], [[0.0, 90, 50, 96, 64]], [[0.0, 0, 0, 96, 64]], [[1.0, -50, -50, 200, 200]]],
)
@pytest.mark.parametrize("value", [0.0, 30.0, -30.0])
def test_gradients_stay_finite(boxes, value):
    logits = maps(value)
    masks = [torch.full((2, 2, 64, 96), value, requires_grad=True) for _ in range(2)]
    labels = torch.zeros(2, 64, 96, dtype=torch.uint8)
    raw = {"detection": logits, "drivable": masks[0], "lane": masks[1]}
    targets = Targets(torch.tensor(boxes).reshape(-1, 5), labels, labels)
    losses = yolop_losses(raw, targets, CELLS)
    for gradient in torch.autograd.grad(sum(losses.values()), [*logits, *masks]):
        assert gradient.isfinite().all()


def test_mask_losses_are_weighted_cross_entropies():
    labels = torch.zeros(1, 64, 96, dtype=torch.uint8)
    labels[:, 32:] = 1
    zeros = torch.zeros(1, 2, 64, 96)
    losses = yolop_losses(
        {"detection": [part[:1] for part in maps()], "drivable": zeros, "lane": zeros},
        Targets(torch.zeros(0, 5), labels, labels),
        CELLS,
    )
    assert losses["drivable"].item() == pytest.approx(0.2 * math.log(2))
    assert losses["lane"].item() == pytest.approx(0.2 * math.log(2) + 0.2 * soft_iou_loss(zeros, labels).item())


def answers(seed=0, **changed):
    """Random logits of all tasks; those of a box look at one cell of the first stride."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 3, 64 // stride, 96 // stride, 6) for stride in STRIDES]
    raw = {DETECTION: [torch.randn(shape, generator=generator) for shape in shapes]}
    raw |= {task: torch.randn(2, 2, 64, 96, generator=generator) for task in (DRIVABLE, LANE)}
    return raw | changed


def test_nothing_is_left_to_imitate_where_answers_are_the_same():
    mine, teacher = answers(), answers()
    parts = [*mine[DETECTION], mine[DRIVABLE], mine[LANE]]
    for part in parts:
        part.requires_grad_()
    found = yolop_imitation(mine, teacher, CELLS)
    assert list(found) == list(TASKS)
    assert all(value.item() == pytest.approx(0, abs=1e-6) for value in found.values())
    gradients = torch.autograd.grad(sum(found.values()), parts)
    assert max(gradient.abs().max().item() for gradient in gradients) < 1e-6
    assert all(value > 0.01 for value in yolop_imitation(answers(1), teacher, CELLS).values())


def test_boxes_are_imitated_where_the_teacher_is_sure():
    teacher = answers()
    for level in teacher[DETECTION]:
        level[..., 4] = -20
    teacher[DETECTION][0][0, 0, 2, 3, 4] = 20
    elsewhere, there = (answers() | {DETECTION: [level.clone() for level in teacher[DETECTION]]} for _ in range(2))
    elsewhere[DETECTION][0][1, 1, 0, 0, :4] += 1
    there[DETECTION][0][0, 0, 2, 3, :4] += 1
    assert yolop_imitation(elsewhere, teacher, CELLS)[DETECTION].item() == pytest.approx(0, abs=1e-6)
    assert yolop_imitation(there, teacher, CELLS)[DETECTION].item() > 0.001


def test_labels_made_of_an_unsure_mask_would_widen_it():
    """Why teachers are not imitated by the losses for labels: these push a pixel up that the teacher gives 60 %."""
    unsure = torch.tensor(0.6).logit().expand(1, 2, 8, 8) * torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    logits = unsure.clone().requires_grad_()
    loss = soft_iou_loss(logits, (unsure[:, 1] > 0).byte())
    assert (torch.autograd.grad(loss, logits)[0][:, 1] < 0).all()
