import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from compress.batch_norms import STEPS, reestimate, settle
from compress.judge import Judged, judge
from perception.errors import InputError


def test_reestimate_sets_plain_averages_and_keeps_weights(network, batches):
    weights = {name: value.clone() for name, value in network.named_parameters()}
    momentum = network.model[0].conv.bn.momentum
    seen = []
    handle = network.model[0].conv.conv.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    reestimate(network, batches)
    handle.remove()
    norm = network.model[0].conv.bn
    assert torch.allclose(norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0), atol=1e-5)
    assert torch.allclose(norm.running_var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0), atol=1e-5)
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {module.momentum for module in norms} == {momentum} and not network.training


def test_reestimate_refuses_averages_that_are_not_finite(network, batches):
    with torch.no_grad():
        network.model[0].conv.conv.weight[0, 0, 0, 0] = torch.inf
    with pytest.raises(InputError, match="batch norms' averages are not finite"):
        reestimate(network, batches)


def test_reestimate_needs_frames(network):
    with pytest.raises(InputError, match="no calibration frames"):
        reestimate(network, [])


def statistics(network):
    return {name: value.clone() for name, value in network.named_buffers() if value.is_floating_point()}


def test_batch_norms_go_as_far_as_the_tasks_are_better_off(network, batches, with_its_boxes):
    # Thresholds that part an untrained network's answers, so that its masks agree with labels here and there.
    with torch.no_grad():
        masks = network.eval().decode(network(network.normalise(batches[0][0]))).masks
    sure = {task: mask.median().item() for task, mask in masks.items()}
    network.spec = replace(network.spec, thresholds=sure)
    batches = with_its_boxes(network, batches)
    learnt, measured = statistics(network), copy.deepcopy(network)
    reestimate(measured, batches)
    found = {}
    for step in STEPS:
        there = copy.deepcopy(network).eval()
        for name, value in there.named_buffers():
            if name in learnt:
                value.copy_(torch.lerp(learnt[name], statistics(measured)[name], step))
        judged = judge(there, batches)
        score = math.prod(judged.scores.values())
        found[step] = 1 / score if score else math.inf
    assert len(set(found.values())) > 2
    best = settle(network, batches, batches)
    assert best == min(STEPS, key=found.__getitem__)
    expected = {name: torch.lerp(value, statistics(measured)[name], best) for name, value in learnt.items()}
    assert all(torch.allclose(value, expected[name]) for name, value in statistics(network).items())
    assert not network.training


@pytest.fixture
def judged_by_move(network, monkeypatch):
    """Makes losses and scores up: of a network as it was, and of one whose batch norms moved at all."""
    start = statistics(network)

    def make_up(still, moved):
        def made_up(network, _):
            same = all(map(torch.equal, statistics(network).values(), start.values()))
            return Judged(*(still if same else moved))

        monkeypatch.setattr("compress.batch_norms.judge", made_up)

    return make_up


@pytest.mark.parametrize("moved", [1.1, math.nan, math.inf])
def test_what_was_learnt_stays_where_it_is_best(network, batches, judged_by_move, moved):
    before = statistics(network)
    judged_by_move(({"detection": 1.0}, {}), ({"detection": moved}, {}))
    assert settle(network, batches, batches) == 0
    assert all(torch.equal(value, before[name]) for name, value in statistics(network).items())


def test_a_small_overlap_counts_as_much_as_a_large_loss(network, batches, judged_by_move):
    judged_by_move(
        ({"detection": 100.0, "lane": 1.0}, {"lane": 0.2}), ({"detection": 150.0, "lane": 9.0}, {"lane": 0.4})
    )
    assert settle(network, batches, batches) > 0


@pytest.mark.parametrize(("moved", "goes"), [(0.5, True), (2.0, False)])
def test_losses_decide_where_a_mask_is_lost_either_way(network, batches, judged_by_move, moved, goes):
    judged_by_move(({"lane": 1.0}, {"lane": 0.0}), ({"lane": moved}, {"lane": 0.0}))
    assert (settle(network, batches, batches) > 0) == goes
