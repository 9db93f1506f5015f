import pytest

from compress.data import Frames, Source, collate
from compress.task_losses import mean_losses


@pytest.fixture
def frames(dataset, network):
    return Frames([Source(dataset)], "val", network.spec)


def together(frames, *sizes):
    """The first frames in batches of these sizes."""
    numbers = iter(range(len(frames)))
    return [collate([frames[0, next(numbers)] for _ in range(size)]) for size in sizes]


def test_every_image_counts_alike_in_whatever_batch(network, frames):
    whole = mean_losses(network, together(frames, 3))
    assert list(whole) == ["detection", "drivable", "lane"]
    for sizes in ((1, 1, 1), (2, 1)):
        parts = mean_losses(network, together(frames, *sizes))
        assert parts["drivable"] == pytest.approx(whole["drivable"], rel=1e-4)


def test_a_task_without_labels_is_absent(network, frames):
    (images, targets), other = together(frames, 2, 1)
    unlabelled = images, targets._replace(tasks=("lane",))
    assert list(mean_losses(network, [unlabelled])) == ["lane"]
    mixed = mean_losses(network, [unlabelled, other])
    assert mixed["drivable"] == pytest.approx(mean_losses(network, [other])["drivable"])


def test_the_network_is_left_in_evaluation_mode(network, frames):
    network.train()
    mean_losses(network, together(frames, 2))
    assert not network.training
