import copy

import pytest
import torch
from torch import nn

from compress.batch_norms import STEPS, reestimate, settle
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


def losses(network, batches):
    with torch.no_grad():
        found = [network.losses(network(network.normalise(images)), targets) for images, targets in batches]
    return {task: sum(float(each[task]) for each in found) / len(found) for task in found[0]}


def test_batch_norms_go_as_far_as_the_tasks_losses_fall(network, batches):
    learnt, measured = statistics(network), copy.deepcopy(network)
    reestimate(measured, batches)
    found = {}
    for step in STEPS:
        there = copy.deepcopy(network).eval()
        for name, value in there.named_buffers():
            if name in learnt:
                value.copy_(torch.lerp(learnt[name], statistics(measured)[name], step))
        found[step] = torch.tensor(list(losses(there, batches).values())).log().sum()
    best = settle(network, batches, batches)
    assert best == min(STEPS, key=found.__getitem__)
    expected = {name: torch.lerp(value, statistics(measured)[name], best) for name, value in learnt.items()}
    assert all(torch.allclose(value, expected[name]) for name, value in statistics(network).items())
    assert not network.training


def test_what_was_learnt_stays_where_it_is_best(network, batches, monkeypatch):
    before = statistics(network)
    monkeypatch.setattr(
        "compress.batch_norms._log_product",
        lambda network, _: float(not all(map(torch.equal, statistics(network).values(), before.values()))),
    )
    assert settle(network, batches, batches) == 0
    assert all(torch.equal(value, before[name]) for name, value in statistics(network).items())


def test_a_small_loss_counts_as_much_as_a_large_one(network, batches, monkeypatch):
    """Towards the measured averages one loss halves and another, a hundred times larger, grows by a half."""
    start = statistics(network)

    def made_up(raw, targets):
        moved = float(not all(map(torch.equal, statistics(network).values(), start.values())))
        return {"detection": torch.tensor(100 * (1 + moved / 2)), "lane": torch.tensor(1 - moved / 2)}

    monkeypatch.setattr(network, "losses", made_up)
    assert settle(network, batches, batches) > 0


def test_averages_at_which_losses_are_not_finite_are_not_taken(network, batches, monkeypatch):
    start = statistics(network)

    def made_up(raw, targets):
        still = all(map(torch.equal, statistics(network).values(), start.values()))
        return {"lane": torch.tensor(1.0 if still else torch.nan)}

    monkeypatch.setattr(network, "losses", made_up)
    assert settle(network, batches, batches) == 0
