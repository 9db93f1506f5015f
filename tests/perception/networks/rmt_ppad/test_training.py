import pytest
import torch

from perception.networks.base import Targets
from perception.networks.rmt_ppad import RMTPPAD
from perception.tasks import DETECTION, DRIVABLE, LANE, TASKS


@pytest.fixture
def network():
    torch.manual_seed(0)
    return RMTPPAD(width=0.25, depth=0.34, size=(64, 96)).train()


@pytest.fixture
def batch():
    """Two grey pictures: two bright vehicles on a dark road with a white line, and a picture of grass."""
    images = torch.full((2, 64, 96, 3), 128, dtype=torch.uint8)
    drivable = torch.zeros(2, 64, 96, dtype=torch.uint8)
    lane = torch.zeros_like(drivable)
    drivable[0, 32:], lane[0, 32:, 46:50] = 1, 1
    boxes = torch.tensor([[0, 10, 20, 34, 40], [0, 60, 30, 90, 56]], dtype=torch.float32)
    images[0, 32:] = 60
    images[0, 32:, 46:50] = 255
    for x1, y1, x2, y2 in boxes[:, 1:].int().tolist():
        images[0, y1:y2, x1:x2] = torch.tensor([220, 40, 40], dtype=torch.uint8)
    images[1] = torch.tensor([40, 120, 40], dtype=torch.uint8)
    return images, Targets(boxes, drivable, lane)


def losses(network, batch):
    images, targets = batch
    return network.losses(network(network.normalise(images)), targets)


def taught(network, loss, steps):
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10)
        optimizer.step()


def test_every_loss_falls(network, batch):
    course = []

    def total():
        course.append(losses(network, batch))
        return sum(course[-1].values())

    taught(network, total, steps=10)
    first, last = course[0], course[-1]
    assert tuple(first) == TASKS
    assert last[DETECTION] < 0.8 * first[DETECTION]
    assert last[DRIVABLE] < 0.9 * first[DRIVABLE]
    assert last[LANE] < 0.95 * first[LANE]


def test_imitation_alone_follows_the_teacher(network, batch):
    """One that sees two vehicles, of one of which it is not sure, and whose masks are those of another network."""
    images, _ = batch
    pictures = network.normalise(images)
    torch.manual_seed(1)
    teacher = RMTPPAD(width=0.25, depth=0.34, size=(64, 96)).eval()
    with torch.no_grad():
        answer = teacher(pictures)
        found = answer[DETECTION]
        found.logits[-1] = -6
        found.logits[-1, 0, :2, 0] = torch.tensor([2.0, 0.0])
        found.boxes[-1, 0, :2] = torch.tensor([[0.2, 0.45, 0.25, 0.3], [0.8, 0.65, 0.3, 0.4]])
    course = []

    def total():
        course.append(network.imitation(network(pictures), answer))
        return sum(course[-1].values())

    taught(network, total, steps=10)
    assert tuple(course[0]) == TASKS
    assert all(course[-1][task] < 0.8 * course[0][task] for task in TASKS), (course[0], course[-1])


def test_denoising_joins_in_training_alone(network, batch):
    images, targets = batch
    with torch.no_grad():
        raw = network(network.normalise(images))
        with_denoising = network.losses(raw, targets)
        network.eval()
        without = network.losses(raw, targets)
    assert with_denoising[DETECTION] > without[DETECTION]
    assert torch.equal(with_denoising[LANE], without[LANE])


def test_every_weight_learns(network, batch):
    sum(losses(network, batch).values()).backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert idle == []
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


def test_pictures_without_vehicles_are_learnt_from(network, batch):
    images, targets = batch
    found = losses(network, (images, targets._replace(boxes=targets.boxes[:0])))
    sum(found.values()).backward()
    assert all(value.isfinite() for value in found.values())
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in network.parameters())
