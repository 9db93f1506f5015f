import pytest
import torch

from compress.gradients import measure, ranked_weights, task_gradients, written
from compress.groups import ChannelGroups
from compress.names import CONFLICT_SOURCES
from perception.networks.base import Targets


def coloured(*colour):
    """One picture of one colour, without labels."""
    images = torch.tensor(colour, dtype=torch.uint8).expand(1, 32, 32, 3)
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    return images, Targets(torch.zeros(0, 5), mask, mask)


RED, GREEN = coloured(255, 0, 0), coloured(0, 255, 0)


def test_pairs_are_told_apart_and_the_worst_can_count(linear):
    network = linear((0, 0, 0), (1, 1, -1))
    groups = ChannelGroups(network)
    average, worst = (measure(network, groups, [RED], source) for source in ("weights", "worst"))
    assert average.tasks == ("task0", "task1", "task2")
    for found in (average, worst):
        assert torch.allclose(found.by_pair["body"], torch.tensor([[0.0], [1.0], [1.0]]).double().expand(3, 4))
    assert average.conflict["body"].tolist() == pytest.approx([2 / 3] * 4)
    assert worst.conflict["body"].tolist() == pytest.approx([1] * 4)


def test_conflict_of_activations_by_hand(linear):
    # What a hidden channel writes gets the gradient head[task, channel] at every position: the same sign, or not.
    network = linear((0, 1), (1, 1))
    found = measure(network, ChannelGroups(network), [RED], "activations")
    assert found.conflict["body"].tolist() == pytest.approx([1, 0, 0, 1])


def test_conflict_of_signed_sums_is_over_batches(linear):
    network = linear((0, 1), (1, 1))
    with torch.no_grad():
        network.body.weight[:, 1, 0, 0] = torch.tensor([1.0, -2.0, 1.0, 0.0])
    groups = ChannelGroups(network)
    sums = {}
    for name, picture in (("red", RED), ("green", GREEN)):
        raw = network.body(network.normalise(picture[0])).mean((0, 2, 3)).detach()
        # Row of the body and column of the head each give head * what the channel writes.
        sums[name] = 2 * raw * network.head.weight[:, :, 0, 0].detach()
    first, second = (torch.stack([sums["red"][task], sums["green"][task]]) for task in (0, 1))
    cosines = (first * second).sum(0) / (first.norm(dim=0) * second.norm(dim=0))
    found = measure(network, groups, [RED, GREEN], "signed").conflict["body"]
    assert found.tolist() == pytest.approx((-cosines).clamp(min=0).tolist(), abs=1e-6)
    assert found.tolist() == pytest.approx([1, 0, 0, 1])


@pytest.mark.parametrize("source", CONFLICT_SOURCES)
def test_every_source_on_yolop(network, batches, source):
    groups = ChannelGroups(network)
    found = measure(network, groups, batches, source)
    plain = measure(network, groups, batches)
    assert found.tasks == network.spec.tasks
    for group in groups:
        conflict = found.conflict[group.path]
        assert found.by_pair[group.path].shape == (3, group.channels) and conflict.shape == (group.channels,)
        assert conflict.isfinite().all() and (conflict >= 0).all() and (conflict <= 1 + 1e-9).all()
        assert torch.equal(found.importance[group.path], plain.importance[group.path])
    assert any(conflict.any() for conflict in found.conflict.values())
    assert not any(layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize("source", CONFLICT_SOURCES)
def test_one_task_has_no_conflict(linear, source):
    network = linear((0,), (1,))
    assert measure(network, ChannelGroups(network), [RED], source).conflict["body"].tolist() == [0] * 4


def test_gradients_are_taken_of_ranked_weights_only(network, batches):
    groups = list(ChannelGroups(network, "backbone+neck"))
    weights = ranked_weights(network, groups)
    assert weights and len(weights) < len(list(network.parameters()))
    by_task = task_gradients(network, weights, *batches[0])
    assert tuple(by_task) == network.spec.tasks
    assert all(gradients.keys() <= weights.keys() for gradients in by_task.values())
    assert {"model.2.cv1.conv.weight", "model.2.cv1.bn.weight", "model.2.cv1.bn.bias"} <= weights.keys()


def test_what_layers_write_is_caught_and_let_go(network, batches):
    groups = list(ChannelGroups(network))[:1]
    with written(network, groups) as outputs:
        by_task = task_gradients(network, {}, *batches[0], outputs)
    writers = {slot.path for slot in groups[0].slots if slot.side == "out"}
    assert outputs.keys() == writers
    assert all(gradients.keys() <= writers for gradients in by_task.values())
    assert any(gradients.keys() == writers for gradients in by_task.values())
