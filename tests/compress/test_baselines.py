import pytest
import torch
import torch_pruning as tp

from compress.baselines import TorchPruning
from compress.groups import ChannelGroups
from perception.errors import InputError


@pytest.mark.parametrize("name", ["taylor", "magnitude"])
def test_no_score_is_other_than_finite(network, batches, name):
    with torch.no_grad():
        network.model[0].conv.conv.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match=f"{name} importance of model.* is not finite"):
        TorchPruning(name)(network, ChannelGroups(network), batches)


@pytest.mark.parametrize(
    ("kind", "reduction", "normaliser"), [("params", "mean", "lamp"), ("macs", "sum", None), ("latency", "first", None)]
)
def test_taylor_is_torch_prunings_own(network, batches, kind, reduction, normaliser):
    groups = ChannelGroups(network)
    ranking = TorchPruning("taylor", kind)(network, groups, batches)
    for images, targets in batches:
        sum(network.losses(network(network.normalise(images)), targets).values()).backward()
    own = tp.importance.GroupTaylorImportance(group_reduction=reduction, normalizer=normaliser)
    for group in groups:
        assert torch.allclose(ranking.scores[group.path], own(group.source).double(), rtol=1e-4)


def test_random_follows_its_seed_and_leaves_the_generator_alone(network):
    groups = ChannelGroups(network)
    state = torch.random.get_rng_state()
    first, again, other = (TorchPruning("random", seed=seed)(network, groups, []).scores for seed in (1, 1, 2))
    assert all(torch.equal(first[path], again[path]) for path in first)
    assert not all(torch.equal(first[path], other[path]) for path in first)
    assert torch.equal(torch.random.get_rng_state(), state)
