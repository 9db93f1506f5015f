import pytest
import torch

from perception.networks.rmt_ppad.adapters import Gate
from perception.networks.rmt_ppad.head import Head, anchor_logits
from perception.networks.rmt_ppad.masks import MaskDecoder


@pytest.fixture
def head():
    torch.manual_seed(0)
    made = Head([8, 8, 8], 16, 32, 8, heads=4, layers=3).eval()
    for box in (made.enc_bbox_head, *made.dec_bbox_head):
        torch.nn.init.normal_(box.layers[-1].weight, std=0.1)
    return made


def maps(height=8, width=12):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 8, height >> level, width >> level, generator=generator) for level in range(3)]


def test_anchors_by_hand():
    logits, valid = anchor_logits([(2, 4), (1, 2), (1, 1)], torch.zeros(1))
    assert valid.shape == (1, 11, 1) and bool((valid == 1).all())
    boxes = logits.sigmoid()[0]
    assert torch.allclose(boxes[0], torch.tensor([0.125, 0.25, 0.05, 0.05]))
    assert torch.allclose(boxes[5], torch.tensor([0.375, 0.75, 0.05, 0.05]))
    assert torch.allclose(boxes[9], torch.tensor([0.75, 0.5, 0.1, 0.1]))
    assert torch.allclose(boxes[10], torch.tensor([0.5, 0.5, 0.2, 0.2]))


def test_anchors_at_the_border_count_for_nothing():
    logits, valid = anchor_logits([(80, 80)], torch.zeros(1))
    inside = valid.view(80, 80)
    assert inside[1:-1, 1:-1].all() and inside.sum() == 78 * 78
    border = logits.view(80, 80, 4)[0]
    assert border.isfinite().all() and bool((border.sigmoid() == 1).all())


def test_best_positions_become_queries(head):
    detections, _, _ = head(maps(48, 64))
    assert detections.boxes.shape == (4, 1, 300, 4)
    proposed = detections.logits[0, 0, :, 0]
    assert bool((proposed.diff() <= 0).all())


def test_each_layer_moves_the_boxes_of_the_one_before(head):
    """With steps of zero, every layer answers the proposals."""
    for box in head.dec_bbox_head:
        torch.nn.init.zeros_(box.layers[-1].weight)
    boxes = head(maps())[0].boxes
    assert torch.allclose(boxes, boxes[:1].expand_as(boxes), atol=1e-5)


def test_a_layer_teaches_the_step_before_it_but_no_earlier_one(head):
    """In training: what a layer's boxes tell the proposals and the steps of each layer."""
    head.training = True  # its own steps alone: batch norms of a single picture have nothing to learn from
    boxes = head(maps())[0].boxes
    teachable = [box.layers[-1].bias for box in (head.enc_bbox_head, *head.dec_bbox_head)]
    reached = [
        [bool(gradient.any()) for gradient in torch.autograd.grad(part.sum(), teachable, retain_graph=True)]
        for part in boxes
    ]
    assert reached == [
        [True, False, False, False],
        [False, True, False, False],
        [False, True, True, False],
        [False, False, True, True],
    ]


@torch.no_grad()
def test_training_answers_what_evaluation_does(head):
    expected = head(maps())[0]
    head.training = True  # batch norms stay as they are
    found = head(maps())[0]
    assert torch.allclose(found.boxes, expected.boxes, atol=1e-5)
    assert torch.allclose(found.logits, expected.logits, atol=1e-5)


@torch.no_grad()
def test_gate_keeps_a_share_of_both():
    torch.manual_seed(0)
    gate = Gate(16).eval()
    shared, task = torch.zeros(1, 16, 4, 6), torch.ones(1, 16, 4, 6)
    blended = gate(shared, task)
    assert bool(((blended >= 0.05) & (blended <= 0.95)).all()) and blended.std() > 0
    assert torch.allclose(gate(task, task), task)


@torch.no_grad()
def test_tasks_differ_by_their_weights_of_scales():
    torch.manual_seed(0)
    decoder = MaskDecoder(8, 8).eval()
    scales = maps()
    drivable, lane = decoder(*scales)
    assert drivable.shape == (1, 64, 96) and torch.allclose(drivable, lane, atol=1e-6)
    decoder.task_weights[1] = torch.tensor([50.0, 0, 0])  # the finest map alone
    drivable_again, fine = decoder(*scales)
    _, without = decoder(scales[0], scales[1] * 5, scales[2] - 3)
    assert torch.allclose(drivable_again, drivable, atol=1e-6)
    assert torch.allclose(fine, without, atol=1e-5) and not torch.allclose(fine, lane, atol=1e-3)
