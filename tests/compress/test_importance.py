import math

import pytest
import torch
import torch_pruning as tp

from compress.names import IMPORTANCES
from compress.groups import ChannelGroups
from compress.importance import Safe, TorchPruning, importance, measure
from perception.errors import InputError
from perception.networks.base import Targets

# Hidden channel c of the linear network: body[c], head[0, c] and head[1, c].
BODY, FIRST, SECOND = (1.0, 2.0, -1.0, 0.5), (3.0, 1.0, 0.5, 1.0), (-1.0, 2.0, 0.5, -4.0)


def red(value=255):
    images = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    images[..., 0] = value
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    return images, Targets(torch.zeros(0, 5), mask, mask)


def measured(network, batches=None):
    found = measure(network, ChannelGroups(network), batches or [red()])
    return found.importance["body"], found.conflict["body"], found.mean


def test_importance_by_hand(linear):
    by_task, _, mean = measured(linear((0, 1), (1, 1)))
    # The row of the body and the column of the head each give head * body.
    expected = torch.tensor([[2 * abs(b * h) for b, h in zip(BODY, head, strict=True)] for head in (FIRST, SECOND)])
    assert torch.allclose(by_task, expected.double())
    assert torch.allclose(mean, expected.double().mean(1))


def test_conflict_by_hand(linear):
    _, conflict, _ = measured(linear((0, 1), (1, 1)))
    expected = [
        max(0, -a * b / math.sqrt((a * a + w * w) * (b * b + w * w)))
        for w, a, b in zip(BODY, FIRST, SECOND, strict=True)
    ]
    assert conflict.tolist() == pytest.approx(expected)
    assert conflict[0] > 0.5 and conflict[1] == 0


@pytest.mark.parametrize(("signs", "expected"), [((1, 2), 0), ((1, -3), 1), ((1, 1, -1), 2 / 3)])
def test_conflict_of_aligned_and_opposed_tasks(linear, signs, expected):
    _, conflict, _ = measured(linear((0,) * len(signs), signs))
    assert conflict.tolist() == pytest.approx([expected] * 4)


def test_conflict_of_a_single_task_is_zero(linear):
    assert measured(linear((0,), (1,)))[1].tolist() == [0] * 4


def test_tasks_count_alike_whatever_the_size_of_their_losses(linear):
    rankings = []
    for signs in ((1, 1), (1, 1000)):
        network = linear((0, 1), signs)
        rankings.append(Safe()(network, ChannelGroups(network), [red()]).scores["body"])
    assert torch.allclose(*rankings)


@pytest.mark.parametrize("combine", ["max", "sum"])
def test_score_joins_tasks_and_charges_for_conflict(linear, combine):
    network = linear((0, 1), (1, 1))
    by_task, conflict, mean = measured(network)
    normalised = by_task / mean[:, None]
    joined = normalised.amax(0) if combine == "max" else normalised.sum(0)
    ranking = Safe(conflict=0.3, combine=combine)(network, ChannelGroups(network), [red()])
    assert torch.allclose(ranking.scores["body"], joined * (1 - 0.3 * conflict))


@pytest.mark.parametrize(("share", "kept"), [(0.0, []), (0.25, [1, 0]), (0.5, [1, 0, 3])])
def test_each_task_protects_its_share(linear, share, kept):
    network = linear((0, 1), (1, 1))  # |importance|: 6, 4, 1, 1 and 2, 8, 1, 4
    ranking = Safe(protect=share)(network, ChannelGroups(network), [red()])
    expected = {0.0: set(), 0.25: {0, 1}, 0.5: {0, 1, 3}}[share]
    assert set(ranking.forbidden["body"].nonzero().flatten().tolist()) == expected == set(kept)


def test_batches_are_averaged_in_any_order(linear):
    network = linear((0, 1), (1, 1))
    forth, back = (measured(network, order)[0] for order in ([red(255), red(51)], [red(51), red(255)]))
    assert torch.allclose(forth, back)
    assert torch.allclose(forth, 0.6 * measured(network)[0])


def test_measure_on_yolop(network, batches):
    groups = ChannelGroups(network)
    found = measure(network, groups, batches)
    again = measure(network, groups, batches[::-1])
    assert found.mean.shape == (3,) and (found.mean > 0).all()
    for group in groups:
        assert found.importance[group.path].shape == (3, group.channels)
        assert found.conflict[group.path].shape == (group.channels,)
        assert ((found.conflict[group.path] >= 0) & (found.conflict[group.path] <= 1)).all()
        assert torch.allclose(found.importance[group.path], again.importance[group.path])
    drivable_head = found.importance["model.25.conv"]
    assert (drivable_head[1] > 0).any() and not drivable_head[[0, 2]].any()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_nothing_to_remove_is_an_input_error(network, batches):
    with pytest.raises(InputError, match="no layer whose channels may be removed"):
        measure(network, [], batches)


@pytest.mark.parametrize("name", IMPORTANCES)
def test_every_importance_scores_every_channel(network, batches, name):
    groups = ChannelGroups(network)
    ranking = importance(name)(network, groups, batches)
    for group in groups:
        assert ranking.scores[group.path].shape == ranking.forbidden[group.path].shape == (group.channels,)
        assert ranking.scores[group.path].isfinite().all()
        assert ranking.forbidden[group.path].dtype == torch.bool
    assert all(parameter.grad is None for parameter in network.parameters())
    assert any(mask.any() for mask in ranking.forbidden.values()) == (name == "safe")


def test_taylor_is_torch_prunings_own(network, batches):
    groups = ChannelGroups(network)
    ranking = importance("taylor")(network, groups, batches)
    for images, targets in batches:
        sum(network.losses(network(network.normalise(images)), targets).values()).backward()
    own = tp.importance.GroupTaylorImportance()
    for group in groups:
        assert torch.allclose(ranking.scores[group.path], own(group.source).double(), rtol=1e-4)


def test_random_follows_its_seed_and_leaves_the_generator_alone(network):
    groups = ChannelGroups(network)
    state = torch.random.get_rng_state()
    first, again, other = (TorchPruning("random", seed)(network, groups, []).scores for seed in (1, 1, 2))
    assert all(torch.equal(first[path], again[path]) for path in first)
    assert not all(torch.equal(first[path], other[path]) for path in first)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", ["safe", "taylor"])
def test_no_calibration_frames_is_an_input_error(network, name):
    with pytest.raises(InputError, match="no calibration frames"):
        importance(name)(network, ChannelGroups(network), [])


def test_unknown_name_lists_the_known():
    with pytest.raises(InputError, match="'best': choose from safe, taylor, magnitude, random"):
        importance("best")
