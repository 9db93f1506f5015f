import copy
import math

import pytest
import torch
from torch import nn

from compress.batch_norms import STEPS, reestimate, settle
from compress.task_losses import mean_losses
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


def test_batch_norms_go_as_far_as_the_tasks_losses_fall(network, batches):
    learnt, measured = statistics(network), copy.deepcopy(network)
    reestimate(measured, batches)
    found = {}
    for step in STEPS:
        there = copy.deepcopy(network).eval()
        for name, value in there.named_buffers():
            if name in learnt:
                value.copy_(torch.lerp(learnt[name], statistics(measured)[name], step))
        found[step] = math.prod(mean_losses(there, batches).values())
    best = settle(network, batches, batches)
    assert best == min(STEPS, key=found.__getitem__)
    expected = {name: torch.lerp(value, statistics(measured)[name], best) for name, value in learnt.items()}
    assert all(torch.allclose(value, expected[name]) for name, value in statistics(network).items())
    assert not network.training


@pytest.fixture
def losses_by_move(network, monkeypatch):
    """Makes losses up: those of a network as it was, and those of one whose batch norms moved at all."""
    start = statistics(network)

    def make_up(still, moved):
        def losses(network, _):
            return still if all(map(torch.equal, statistics(network).values(), start.values())) else moved

        monkeypatch.setattr("compress.batch_norms.mean_losses", losses)

    return make_up


@pytest.mark.parametrize("moved", [1.1, math.nan, math.inf])
def test_what_was_learnt_stays_where_it_is_best(network, batches, losses_by_move, moved):
    before = statistics(network)
    losses_by_move({"lane": 1.0}, {"lane": moved})
    assert settle(network, batches, batches) == 0
    assert all(torch.equal(value, before[name]) for name, value in statistics(network).items())


def test_a_small_loss_counts_as_much_as_a_large_one(network, batches, losses_by_move):
    losses_by_move({"detection": 100.0, "lane": 1.0}, {"detection": 150.0, "lane": 0.5})
    assert settle(network, batches, batches) > 0
