import copy

import numpy as np
import pytest

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from compress.latency import layers_of, widths_to_measure
from perception.cost import cost


@pytest.fixture
def times(network, stairs):
    return stairs(widths_to_measure(network))


def assert_price_is_right(network, removed, times):
    """What a plan is said to cost must be what the network costs once its channels are really gone."""
    smaller = copy.deepcopy(network)
    groups = ChannelGroups(smaller)
    model = CostModel(smaller, groups, times)
    prices = [model.cost(kind, removed) for kind in ("params", "macs", "latency")]
    groups.remove({path: range(count) for path, count in removed.items()})
    found = cost(smaller)
    assert prices[:2] == pytest.approx((found.parameters, found.macs), abs=0.5)
    assert prices[2] == pytest.approx(times.total(layers_of(smaller)))


def test_nothing_removed(network, times):
    assert_price_is_right(network, {}, times)


def test_each_group_alone(network):
    groups = ChannelGroups(network)
    model = CostModel(network, groups)
    whole = cost(network)
    for group in groups:
        assert 0 < model.cost("params", {group.path: 3}) < whole.parameters
        assert 0 < model.cost("macs", {group.path: 3}) < whole.macs


@pytest.mark.parametrize("path", ["model.0.conv.conv", "model.8.cv1.conv", "model.10.conv"])
def test_one_group(network, path, times):
    (root,) = [
        group.path
        for group in ChannelGroups(network)
        if any(slot.path == path and slot.side == "out" for slot in group.slots)
    ]
    assert_price_is_right(network, {root: 5}, times)


@pytest.mark.parametrize("seed", range(4))
def test_random_plans(network, seed, times):
    rng = np.random.default_rng(seed)
    removed = {group.path: int(rng.integers(0, group.channels)) for group in ChannelGroups(network)}
    assert_price_is_right(network, removed, times)


def test_saving_is_the_difference(network, times):
    groups = ChannelGroups(network)
    model = CostModel(network, groups, times)
    before = {group.path: group.channels // 4 for group in groups}
    for group in groups.groups[::7]:
        after = {**before, group.path: before[group.path] + 3}
        for kind in model.kinds:
            difference = model.cost(kind, before) - model.cost(kind, after)
            assert model.saving(kind, before, group.path, 3) == pytest.approx(difference, abs=1e-6)


def test_time_is_known_where_it_was_measured_only(network, times):
    groups = ChannelGroups(network)
    assert CostModel(network, groups).kinds == ("params", "macs")
    assert CostModel(network, groups, times).kinds == ("params", "macs", "latency")


def test_network_is_left_as_it_was(network):
    network.train()
    CostModel(network, ChannelGroups(network))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
