import math

import pytest
import torch

from perception.networks.overlap import corners, generalised_iou
from perception.networks.rmt_ppad.denoising import denoising_loss, noised_queries

# Two boxes in the first image, none in the second, one in the third; none near the border, given out of order.
TRUTH = torch.tensor([[2, 0.5, 0.5, 0.1, 0.3], [0, 0.4, 0.6, 0.2, 0.1], [0, 0.7, 0.3, 0.1, 0.1]])


def noised(seed=0, truth=TRUTH, images=3, **settings):
    return noised_queries(truth, images, torch.Generator().manual_seed(seed), **settings)


def test_groups_hold_every_box_twice():
    found = noised(queries=10)
    assert found.boxes.shape == (3, 20, 4)  # five groups of two boxes, moved a little and too far
    assert found.present.view(3, 5, 2, 2)[:, 0, 0].tolist() == [[True, True], [False, False], [True, False]]
    assert (found.present.view(3, 10, 2) == found.present.view(3, 10, 2)[:, :1]).all()
    assert (found.boxes[~found.present] == 0).all()


def test_positive_queries_know_their_boxes():
    found = noised(queries=4, box_noise=0.0)
    places = sorted(zip(found.image.tolist(), found.query.tolist(), strict=True))
    assert places == [(0, 0), (0, 1), (0, 4), (0, 5), (2, 0), (2, 4)]
    assert torch.allclose(found.boxes[found.image, found.query].sigmoid(), found.truth, atol=1e-5)


def test_groups_do_not_see_each_other():
    mask = noised(queries=6).attention_mask
    assert mask.shape == (12, 12)
    expected = torch.ones(3, 4, 3, 4, dtype=torch.bool)
    for group in range(3):
        expected[group, :, group] = False
    assert torch.equal(mask, expected.view(12, 12))


def by_kind(found, groups=50):
    """Noisy boxes ``[groups, 2, 2, 4]`` of the first image, group by kind by box."""
    return found.boxes[0].sigmoid().view(groups, 2, 2, 4)


def test_positives_stay_near_and_negatives_go_far():
    found = by_kind(noised())
    truth = TRUTH[1:, 1:]
    moved = (torch.cat(corners(found), -1) - torch.cat(corners(truth), -1)).abs() / truth[:, 2:].repeat(1, 2)
    assert moved[:, 0].max() < 0.5 + 1e-3 and moved[:, 0].max() > 0.45 and moved[:, 0].min() < 0.05
    whole = (found[:, 1, :, 2:] > 1e-3).all(-1)
    assert whole.float().mean() > 0.4
    assert moved[:, 1][whole].min() > 0.5 - 1e-3 and moved[:, 1][whole].max() < 1 + 1e-3
    # Both corners of each axis half a side outwards cover twice the side.
    assert generalised_iou(found[:, 1], truth)[0].max() < 0.25 + 1e-3


def test_noise_has_no_direction():
    found = by_kind(noised(queries=4000), groups=2000)
    offset = (torch.cat(corners(found[:, 0]), -1) - torch.cat(corners(TRUTH[1:, 1:]), -1)).mean(0)
    assert (offset.abs() < 0.005).all()


def test_noisy_boxes_stay_in_the_image():
    truth = torch.tensor([[0, 0.5, 0.5, 1, 1], [0, 0.02, 0.98, 0.04, 0.04]])
    boxes = noised(truth=truth, images=1).boxes
    assert boxes.isfinite().all()
    low, high = corners(boxes.sigmoid())
    assert low.min() > -1e-4 and high.max() < 1 + 1e-4


def test_many_boxes_make_one_group():
    truth = torch.rand(7, 5, generator=torch.Generator().manual_seed(0))
    truth[:, 0] = 0
    found = noised(truth=truth, images=1, queries=5)
    assert found.boxes.shape == (1, 14, 4)
    assert not found.attention_mask.any()


def test_no_boxes_no_queries():
    assert noised_queries(torch.zeros(0, 5), 2) is None


def test_the_generator_decides():
    assert torch.equal(noised(seed=1).boxes, noised(seed=1).boxes)
    assert not torch.equal(noised(seed=1).boxes, noised(seed=2).boxes)
    torch.manual_seed(3)
    first = noised_queries(TRUTH, 3)
    torch.manual_seed(3)
    assert torch.equal(first.boxes, noised_queries(TRUTH, 3).boxes)


def test_denoising_loss_by_hand():
    """Positives put right, every score at a half, two layers alike: 12 queries an image, 9 of all 36 positive."""
    queries = noised(queries=6)
    boxes = torch.full((2, 3, 12, 4), 0.5)
    boxes[:, queries.image, queries.query] = queries.truth
    loss = denoising_loss(boxes, torch.zeros(2, 3, 12, 1), queries)
    expected = 2 * (9 * math.log(2) + 27 * 0.75 * 0.25 * math.log(2)) / 9
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_denoising_loss_wants_each_box_back():
    queries = noised()
    boxes = torch.full((1, *queries.boxes.shape), 0.5)
    logits = torch.full((1, *queries.present.shape, 1), -20.0)
    boxes[:, queries.image, queries.query] = queries.truth
    logits[:, queries.image, queries.query] = 20.0
    right = denoising_loss(boxes, logits, queries).item()
    assert right == pytest.approx(0, abs=1e-4)
    # Another query of the same image with the box is no excuse, as it would be for the matcher.
    swapped = boxes.clone()
    swapped[:, 0, [0, 1]] = boxes[:, 0, [1, 0]]
    assert denoising_loss(swapped, logits, queries).item() > 0.01


def test_denoising_gradients_are_finite():
    queries = noised()
    raw = [torch.zeros(2, *queries.present.shape, size, requires_grad=True) for size in (4, 1)]
    loss = denoising_loss(raw[0].sigmoid(), raw[1], queries)
    for gradient in torch.autograd.grad(loss, raw):
        assert gradient.isfinite().all()
