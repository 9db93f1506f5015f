import pytest
import torch

from compress.teaching import taught, teacher_targets
from perception.networks.base import Decoded, Network, Targets
from perception.networks.yolop import YOLOP
from perception.tasks import DETECTION, DRIVABLE, LANE, MASK_TASKS, TASKS

SIZE = torch.Size((2, 64, 96))


@pytest.fixture
def raws(network):
    """What a student and a teacher answered to the same pictures."""
    with torch.no_grad():
        return [network(torch.rand(2, 3, *SIZE[1:], generator=torch.Generator().manual_seed(seed))) for seed in (0, 1)]


def labels(tasks=TASKS):
    boxes = torch.tensor([[0, 10.0, 10, 40, 30], [1, 50, 20, 80, 60]])
    masks = torch.zeros(SIZE, dtype=torch.uint8)
    masks[:, 32:] = 1
    return Targets(boxes, masks, masks, tasks)


def same(found, expected):
    assert list(found) == list(expected)
    for task, value in expected.items():
        assert found[task].item() == pytest.approx(value.item(), rel=1e-6), task


def test_labels_and_answers_add_up(network, raws):
    raw, answer = raws
    losses, apart = network.losses(raw, labels()), network.imitation(raw, answer)
    for weight in (0.0, 0.5):
        expected = {task: losses[task] + weight * apart[task] for task in TASKS}
        same(taught(network, raw, labels(), network, answer, weight), expected)


def test_a_task_without_labels_learns_from_answers_alone(network, raws):
    raw, answer = raws
    losses, apart = network.losses(raw, labels()), network.imitation(raw, answer)
    expected = {DETECTION: losses[DETECTION], DRIVABLE: apart[DRIVABLE], LANE: losses[LANE]}
    same(taught(network, raw, labels((DETECTION, LANE)), network, answer, 0.0), expected)


def test_pictures_without_labels_need_none(network, raws, monkeypatch):
    raw, answer = raws
    monkeypatch.setattr(YOLOP, "losses", lambda *given: pytest.fail("asked for labels"))
    same(taught(network, raw, labels(()), network, answer, 0.0), network.imitation(raw, answer))


def test_what_cannot_be_told_apart_is_learned_like_a_label(network, raws, monkeypatch):
    raw, answer = raws
    monkeypatch.setattr(YOLOP, "imitation", Network.imitation)
    seen = teacher_targets(network, answer, SIZE)
    masks = Network.imitation(network, raw, answer)
    assert tuple(masks) == MASK_TASKS
    expected = {DETECTION: network.losses(raw, seen)[DETECTION], **masks}
    same(taught(network, raw, labels(()), network, answer, 0.0), expected)


def test_teacher_targets(network, raws):
    raw = raws[0]
    decoded = network.decode(raw)
    bar = float(decoded.scores.flatten().sort().values[-20])
    targets = teacher_targets(network, raw, SIZE, bar)
    assert 0 < len(targets.boxes) <= 20 and targets.boxes.shape[1] == 5
    candidates = decoded.boxes[decoded.scores >= bar].tolist()
    assert all(box in candidates for box in targets.boxes[:, 1:].tolist())
    assert torch.equal(targets.lane, (decoded.lane > 0.5).to(torch.uint8))
    assert teacher_targets(network, raw, SIZE, 1.1).boxes.shape == (0, 5)


def test_a_task_that_the_teacher_does_not_have_is_empty(network, raws, monkeypatch):
    lane = network.decode(raws[0]).lane
    monkeypatch.setattr(network, "decode", lambda raw: Decoded(lane=lane))
    targets = teacher_targets(network, raws[0], SIZE)
    assert targets.boxes.shape == (0, 5) and targets.drivable.shape == targets.lane.shape and not targets.drivable.any()
    assert torch.equal(targets.lane, (lane > 0.5).to(torch.uint8))
