import itertools
import math

import pytest
import torch

from perception.networks.rmt_ppad.matching import cost, match


def scene(layers=2, images=2, queries=5, counts=(3, 2), seed=0):
    """Random predictions and boxes."""
    generator = torch.Generator().manual_seed(seed)
    shape = (layers, images, queries)
    low = torch.tensor([0.2, 0.2, 0.05, 0.05])
    boxes = low + 0.6 * torch.rand(*shape, 4, generator=generator)
    logits = 2 * torch.randn(*shape, 1, generator=generator)
    owner = torch.arange(images).repeat_interleave(torch.tensor(counts)).float()
    truth = torch.cat((owner[:, None], low + 0.6 * torch.rand(len(owner), 4, generator=generator)), 1)
    return boxes, logits, truth


def plain_cost(box, logit, truth):
    """One query and one box in plain numbers."""
    p = 1 / (1 + math.exp(-logit))
    focal = -0.25 * (1 - p) ** 2 * math.log(p) + 0.75 * p**2 * math.log(1 - p)
    low, high = zip(*((c - s / 2, c + s / 2) for c, s in zip(box[:2], box[2:], strict=True)), strict=True)
    other_low, other_high = zip(
        *((c - s / 2, c + s / 2) for c, s in zip(truth[:2], truth[2:], strict=True)), strict=True
    )
    overlap = math.prod(
        max(0, min(a, b) - max(c, d)) for a, b, c, d in zip(high, other_high, low, other_low, strict=True)
    )
    around = math.prod(max(a, b) - min(c, d) for a, b, c, d in zip(high, other_high, low, other_low, strict=True))
    union = math.prod(box[2:]) + math.prod(truth[2:]) - overlap
    giou = overlap / union - (around - union) / around
    return 2 * focal + 5 * sum(abs(a - b) for a, b in zip(box, truth, strict=True)) - 2 * giou


def as_rows(pairs):
    return sorted(zip(pairs.layer.tolist(), pairs.image.tolist(), pairs.query.tolist(), strict=True))


def test_cost_by_hand():
    """A probability of 0.8, a box a quarter of its width off: IoU 0.6, and nothing of the hull uncovered."""
    found = cost(
        torch.tensor([[0.5, 0.5, 0.4, 0.4]]), torch.tensor([[math.log(4)]]), torch.tensor([[0.6, 0.5, 0.4, 0.4]])
    )
    focal = -0.25 * 0.04 * math.log(0.8) + 0.75 * 0.64 * math.log(0.2)
    assert found.shape == (1, 1)
    assert found.item() == pytest.approx(2 * focal + 5 * 0.1 - 2 * 0.6, rel=1e-5)


def test_cost_agrees_with_plain_arithmetic():
    boxes, logits, truth = scene(seed=1)
    found = cost(boxes[0, 0], logits[0, 0], truth[:, 1:]).tolist()
    for query, row in enumerate(found):
        expected = [
            plain_cost(boxes[0, 0, query].tolist(), logits[0, 0, query].item(), t) for t in truth[:, 1:].tolist()
        ]
        assert row == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_every_layer_and_image_has_its_cheapest_match(seed):
    boxes, logits, truth = scene(seed=seed)
    pairs = match(boxes, logits, truth)
    for layer, image in itertools.product(range(2), range(2)):
        mine = truth[truth[:, 0] == image, 1:]
        costs = cost(boxes[layer, image], logits[layer, image], mine)
        columns = range(len(mine))
        cheapest = min(
            sum(costs[query, column].item() for query, column in zip(choice, columns, strict=True))
            for choice in itertools.permutations(range(5), len(mine))
        )
        here = (pairs.layer == layer) & (pairs.image == image)
        assert sorted(map(tuple, pairs.truth[here].tolist())) == sorted(map(tuple, mine.tolist()))
        rows = [(mine == box).all(1).nonzero().item() for box in pairs.truth[here]]
        chosen = costs[pairs.query[here], torch.tensor(rows)].sum().item()
        assert chosen == pytest.approx(cheapest, abs=1e-5)


def test_queries_that_stand_on_a_box_answer_for_it():
    truth = torch.tensor([[1, 0.2, 0.2, 0.1, 0.1], [0, 0.7, 0.7, 0.2, 0.2], [1, 0.6, 0.4, 0.3, 0.1]])
    boxes = torch.full((1, 2, 4, 4), 0.5)
    boxes[0, 1, 2], boxes[0, 0, 3], boxes[0, 1, 0] = truth[:, 1:]
    pairs = match(boxes, torch.zeros(1, 2, 4, 1), truth)
    assert as_rows(pairs) == [(0, 0, 3), (0, 1, 0), (0, 1, 2)]
    assert torch.equal(boxes[pairs.layer, pairs.image, pairs.query], pairs.truth)


def test_pairs_know_how_sure_their_boxes_are():
    boxes, logits, truth = scene()
    sure = torch.linspace(0.1, 0.9, len(truth))
    pairs = match(boxes, logits, truth, sure)
    rows = [(truth[:, 1:] == box).all(1).nonzero().item() for box in pairs.truth]
    assert torch.equal(pairs.sure, sure[rows])
    assert torch.equal(match(boxes, logits, truth).sure, torch.ones(len(rows)))


def test_the_surer_of_two_equal_boxes_answers():
    boxes = torch.full((1, 1, 2, 4), 0.5)
    pairs = match(boxes, torch.tensor([[[[-1.0], [1.0]]]]), torch.tensor([[0, 0.5, 0.5, 0.4, 0.4]]))
    assert pairs.query.tolist() == [1]


def test_more_boxes_than_queries_leave_the_worst_boxes_out():
    boxes, logits, truth = scene(layers=3, images=1, queries=2, counts=(6,))
    assert as_rows(match(boxes, logits, truth)) == [(layer, 0, query) for layer in range(3) for query in range(2)]


def test_predictions_that_are_not_numbers_are_matched_all_the_same():
    boxes, logits, truth = scene()
    boxes[0, 0], logits[1, 1, 2] = math.nan, math.inf
    assert len(match(boxes, logits, truth).query) == 2 * len(truth)
