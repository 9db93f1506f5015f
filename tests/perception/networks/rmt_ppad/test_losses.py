import math

import pytest
import torch

from perception.networks.rmt_ppad.losses import (
    FAINT,
    detection_imitation,
    detection_loss,
    drivable_loss,
    lane_loss,
    tversky_loss,
)

LOG2, LOG4 = math.log(2), math.log(4)
EMPTY = torch.zeros(0, 5)


def scene(images=2, seed=0):
    """Three layers of ten random predictions an image, and three boxes in each."""
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(3, images, 10, 4, generator=generator)
    logits = torch.randn(3, images, 10, 1, generator=generator)
    owner = torch.arange(images).repeat_interleave(3).float()
    truth = torch.cat((owner[:, None], 0.1 + 0.5 * torch.rand(3 * images, 4, generator=generator)), 1)
    return boxes, logits, truth


def one_box(logit_hit=0.0, logit_other=0.0):
    """A query that lies 0.1 beside the one true box (IoU 0.6, GIoU 0.6), and one far away."""
    boxes = torch.tensor([[[[0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0.4, 0.4]]]])
    logits = torch.tensor([[[[logit_other], [logit_hit]]]])
    return boxes, logits, torch.tensor([[0, 0.6, 0.5, 0.4, 0.4]])


@pytest.mark.parametrize(
    ("hit", "other", "classification"),
    [
        (0.0, 0.0, 0.6 * LOG2 + 0.75 * 0.25 * LOG2),
        (LOG4, -LOG4, -0.6 * (0.6 * math.log(0.8) + 0.4 * math.log(0.2)) - 0.75 * 0.04 * math.log(0.8)),
    ],
)
def test_detection_loss_by_hand(hit, other, classification):
    expected = classification + 5 * 0.1 + 2 * (1 - 0.6)
    assert detection_loss(*one_box(hit, other)).item() == pytest.approx(expected, rel=1e-5)


def test_disjoint_boxes_pay_for_the_gap():
    """Two boxes of 0.2 x 0.2, centres 0.4 apart: IoU 0, two of the three parts of the hull covered."""
    boxes = torch.tensor([[[[0.3, 0.5, 0.2, 0.2]]]])
    loss = detection_loss(boxes, torch.zeros(1, 1, 1, 1), torch.tensor([[0, 0.7, 0.5, 0.2, 0.2]]))
    assert loss.item() == pytest.approx(5 * 0.4 + 2 * (1 + 1 / 3), rel=1e-5)


def test_layers_add_up_and_are_matched_by_themselves():
    boxes, logits, truth = scene()
    separate = sum(detection_loss(boxes[[layer]], logits[[layer]], truth).item() for layer in range(3))
    assert detection_loss(boxes, logits, truth).item() == pytest.approx(separate, rel=1e-5)


def test_loss_is_per_true_box():
    """The same image twice costs as much as once."""
    boxes, logits, truth = scene(images=1)
    again = truth + torch.tensor([1.0, 0, 0, 0, 0])
    twice = detection_loss(boxes.repeat(1, 2, 1, 1), logits.repeat(1, 2, 1, 1), torch.cat((truth, again)))
    assert twice.item() == pytest.approx(detection_loss(boxes, logits, truth).item(), rel=1e-5)


def test_images_without_boxes_lower_their_scores():
    boxes, logits, truth = one_box()
    with_empty = detection_loss(boxes.repeat(1, 2, 1, 1), logits.repeat(1, 2, 1, 1), truth)
    extra = 2 * 0.75 * 0.25 * LOG2
    assert with_empty.item() == pytest.approx(detection_loss(boxes, logits, truth).item() + extra, rel=1e-5)


def test_a_batch_without_boxes_has_the_focal_loss_of_its_scores():
    boxes, logits, _ = scene()
    loss = detection_loss(boxes, torch.zeros_like(logits), EMPTY)
    assert loss.item() == pytest.approx(3 * 2 * 10 * 0.75 * 0.5**1.5 * LOG2, rel=1e-5)


def test_order_of_queries_and_boxes_does_not_matter():
    boxes, logits, truth = scene()
    expected = detection_loss(boxes, logits, truth).item()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    assert detection_loss(boxes[:, :, order], logits[:, :, order], truth).item() == pytest.approx(expected, rel=1e-5)
    assert detection_loss(boxes, logits, truth[[4, 1, 5, 0, 3, 2]]).item() == pytest.approx(expected, rel=1e-5)


def test_sure_boxes_of_another_network_are_like_labels():
    boxes, logits, truth = scene()
    seen, scores = truth[:, 1:].view(2, 3, 4), torch.ones(2, 3)
    labels = detection_loss(boxes, logits, truth)
    assert detection_imitation(boxes, logits, seen, scores).item() == pytest.approx(labels.item(), rel=1e-5)
    # And faint ones are nothing.
    more = torch.cat((seen, torch.rand(2, 5, 4)), 1)
    faint = torch.cat((scores, torch.full((2, 5), 0.9 * FAINT)), 1)
    assert detection_imitation(boxes, logits, more, faint).item() == pytest.approx(labels.item(), rel=1e-5)
    nothing = detection_imitation(boxes, logits, more, torch.zeros(2, 8))
    assert nothing.item() == pytest.approx(detection_loss(boxes, logits, EMPTY).item(), rel=1e-5)


def test_the_score_of_another_network_is_what_is_learned():
    """A query on the other's box: no gradient at its score, and towards it from both sides."""
    box = torch.tensor([0.5, 0.5, 0.2, 0.2]).view(1, 1, 1, 4)
    slopes = []
    for probability in (0.2, 0.3, 0.4):
        logit = torch.tensor(probability).logit().view(1, 1, 1, 1).requires_grad_()
        loss = detection_imitation(box, logit, box[0], torch.full((1, 1), 0.3))
        slopes.append(torch.autograd.grad(loss, logit)[0].item())
    assert slopes[0] < -0.01 and abs(slopes[1]) < 1e-6 and slopes[2] > 0.01


def test_following_the_gradient_finds_the_boxes():
    truth = torch.tensor([[0, 0.3, 0.4, 0.2, 0.1], [0, 0.7, 0.6, 0.1, 0.2]])
    generator = torch.Generator().manual_seed(0)
    raw = [torch.randn(1, 1, 6, size, generator=generator).requires_grad_() for size in (4, 1)]
    optimizer = torch.optim.Adam(raw, lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        detection_loss(raw[0].sigmoid(), raw[1], truth).backward()
        optimizer.step()
    scores, order = raw[1].detach().flatten().sigmoid().sort(descending=True)
    found = raw[0].detach().sigmoid()[0, 0, order[:2]]
    assert scores[1] > 0.7 and scores[2] < 0.2
    assert torch.allclose(found[found[:, 0].argsort()], truth[:, 1:], atol=0.02)


@pytest.mark.parametrize("value", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("side", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize(
    "truth",
    [EMPTY, torch.tensor([[0, 0.5, 0.5, 0.0, 0.0]]), torch.tensor([[0, 0.5, 0.5, 1, 1], [1, 0.1, 0.1, 1e-4, 1e-4]])],
)
def test_detection_gradients_stay_finite(value, side, truth):
    boxes = torch.tensor([0.5, 0.5, side, side]).repeat(2, 2, 3, 1).requires_grad_()
    logits = torch.full((2, 2, 3, 1), value, requires_grad=True)
    loss = detection_loss(boxes, logits, truth)
    assert loss.isfinite()
    for gradient in torch.autograd.grad(loss, (boxes, logits), allow_unused=True):
        assert gradient is None or gradient.isfinite().all()


def masks(probability, target):
    return torch.tensor(probability).logit()[None], torch.tensor(target, dtype=torch.uint8)[None]


def test_drivable_loss_by_hand():
    logits, target = masks([[0.8, 0.8]], [[1, 0]])
    focal = (-0.25 * 0.04 * math.log(0.8) - 0.75 * 0.64 * math.log(0.2)) / 2
    entropy = -(math.log(0.8) + math.log(0.2)) / 2
    assert drivable_loss(logits, target).item() == pytest.approx(24 * focal + 8 * entropy, rel=1e-5)


def test_lane_loss_by_hand():
    logits, target = masks([[0.8, 0.8]], [[1, 0]])
    focal = (-0.25 * 0.04 * math.log(0.8) - 0.75 * 0.64 * math.log(0.2)) / 2
    tversky = 1 - 1.8 / (0.8 + 0.7 * 0.2 + 0.3 * 0.8 + 1)
    assert lane_loss(logits, target).item() == pytest.approx(24 * focal + 8 * tversky, rel=1e-5)


def test_tversky_counts_over_the_whole_batch_and_minds_misses_more():
    target = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
    missed, alarmed = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]]), torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]]])
    assert tversky_loss(missed, target).item() == pytest.approx(1 - 2 / 2.7)
    assert tversky_loss(alarmed, target).item() == pytest.approx(1 - 3 / 3.3)
    assert tversky_loss(target, target).item() == 0
    assert tversky_loss(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


@pytest.mark.parametrize("loss", [drivable_loss, lane_loss])
@pytest.mark.parametrize("value", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("label", [0, 1])
def test_mask_gradients_stay_finite(loss, value, label):
    logits = torch.full((2, 8, 8), value, requires_grad=True)
    found = loss(logits, torch.full((2, 8, 8), label, dtype=torch.uint8))
    assert found.isfinite()
    assert torch.autograd.grad(found, logits)[0].isfinite().all()


def test_half_precision_outputs_are_judged_in_float32():
    boxes, logits, truth = scene()
    mask = torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    target = (mask > 1).byte()

    def losses(boxes, logits, mask):
        return detection_loss(boxes, logits, truth), drivable_loss(mask, target), lane_loss(mask, target)

    boxes, logits = boxes.bfloat16(), logits.bfloat16()
    expected = losses(boxes.float(), logits.float(), mask.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = losses(boxes, logits, mask)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b)
