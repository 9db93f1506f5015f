import math

import pytest
import torch

from perception.networks.overlap import complete_iou, generalised_iou

UNIT = [0.0, 0, 2, 2]


def reference_ciou(a, b):
    """Complete IoU of two boxes in plain numbers, from the paper's formula."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    width = min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2)
    height = min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2)
    overlap = max(0, width) * max(0, height)
    iou = overlap / (aw * ah + bw * bh - overlap)
    wide = max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2)
    high = max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)
    v = 4 / math.pi**2 * (math.atan(bw / bh) - math.atan(aw / ah)) ** 2
    alpha = v / (1 - iou + v) if v else 0
    return iou - ((ax - bx) ** 2 + (ay - by) ** 2) / (wide**2 + high**2) - alpha * v


def test_complete_iou_of_known_pairs():
    pairs = [(UNIT, UNIT, 1), (UNIT, [1.0, 0, 2, 2], 1 / 3 - 1 / 13), (UNIT, [4.0, 0, 2, 2], -16 / 40)]
    for a, b, expected in pairs:
        assert complete_iou(torch.tensor([a]), torch.tensor([b])).item() == pytest.approx(expected, abs=1e-5)


def test_complete_iou_agrees_with_plain_arithmetic_and_is_symmetric():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 50, 4, generator=generator) + torch.tensor([0, 0, 0.1, 0.1])
    found = complete_iou(a, b)
    expected = [reference_ciou(*pair) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)
    assert torch.allclose(found, complete_iou(b, a), atol=1e-6)
    moved = torch.tensor([3.0, -2, 0, 0])
    assert torch.allclose(found, complete_iou(a + moved, b + moved), atol=1e-4)
    assert torch.allclose(found, complete_iou(7 * a, 7 * b), atol=1e-4)


@pytest.mark.parametrize(
    ("other", "iou", "giou"),
    [
        (UNIT, 1, 1),
        ([1.0, 0, 2, 2], 1 / 3, 1 / 3),  # side by side: nothing of the box around both is left
        ([1.0, 1, 2, 2], 1 / 7, 1 / 7 - 2 / 9),
        ([4.0, 0, 2, 2], 0, -4 / 12),
        ([0.0, 0, 1, 1], 1 / 4, 1 / 4),
        ([0.5, 0, 0, 0], 0, 0),  # a point inside
        ([4.0, 0, 0, 2], 0, -6 / 10),
    ],
)
def test_generalised_iou_by_hand(other, iou, giou):
    for a, b in ((UNIT, other), (other, UNIT)):
        found = generalised_iou(torch.tensor(a), torch.tensor(b))
        assert [value.item() for value in found] == pytest.approx([iou, giou], abs=1e-6)


def test_overlap_of_every_pair_by_broadcasting():
    boxes = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))
    first, second = boxes[:5], boxes[5:]
    pairwise = generalised_iou(first[:, None], second)
    for row in range(5):
        for column in range(3):
            single = generalised_iou(first[row], second[column])
            assert [part[row, column].item() for part in pairwise] == pytest.approx([part.item() for part in single])


def test_boxes_a_few_pixels_wide_are_measured_well():
    """Three pixels of a 1280x720 frame, in shares of it, and the same moved by one."""
    a = torch.tensor([0.5, 0.5, 3 / 1280, 3 / 720])
    iou, giou = generalised_iou(a, a + torch.tensor([1 / 1280, 0, 0, 0]))
    assert [iou.item(), giou.item()] == pytest.approx([0.5, 0.5], rel=1e-3)


def test_boxes_without_extent_have_finite_gradients():
    a = torch.tensor([[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0.1, 0.1]], requires_grad=True)
    b = torch.tensor([[0.5, 0.5, 0, 0], [0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1]])
    for measure in (*generalised_iou(a, b), complete_iou(a, b)):
        assert measure.isfinite().all()
        assert torch.autograd.grad(measure.sum(), a, retain_graph=True)[0].isfinite().all()
