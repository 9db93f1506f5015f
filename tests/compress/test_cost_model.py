import copy

import numpy as np
import pytest

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from perception.cost import cost


def assert_price_is_right(network, removed):
    """What a plan is said to cost must be what the network costs once its channels are really gone."""
    smaller = copy.deepcopy(network)
    groups = ChannelGroups(smaller)
    model = CostModel(smaller, groups)
    prices = model.cost("params", removed), model.cost("macs", removed)
    groups.remove({path: range(count) for path, count in removed.items()})
    found = cost(smaller)
    assert prices == pytest.approx((found.parameters, found.macs), abs=0.5)


def test_nothing_removed(network):
    assert_price_is_right(network, {})


def test_each_group_alone(network):
    groups = ChannelGroups(network)
    model = CostModel(network, groups)
    whole = cost(network)
    for group in groups:
        assert 0 < model.cost("params", {group.path: 3}) < whole.parameters
        assert 0 < model.cost("macs", {group.path: 3}) < whole.macs


@pytest.mark.parametrize("path", ["model.0.conv.conv", "model.8.cv1.conv", "model.10.conv"])
def test_one_group(network, path):
    (root,) = [
        group.path
        for group in ChannelGroups(network)
        if any(slot.path == path and slot.side == "out" for slot in group.slots)
    ]
    assert_price_is_right(network, {root: 5})


@pytest.mark.parametrize("seed", range(4))
def test_random_plans(network, seed):
    rng = np.random.default_rng(seed)
    removed = {group.path: int(rng.integers(0, group.channels)) for group in ChannelGroups(network)}
    assert_price_is_right(network, removed)


def test_network_is_left_as_it_was(network):
    network.train()
    CostModel(network, ChannelGroups(network))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
