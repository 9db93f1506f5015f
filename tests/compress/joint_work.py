"""What several processes do together and one alone must do alike: ``torchrun ... joint_work.py DATA NETWORK OUT``.

NETWORK is a checkpoint. Each part writes tensors into OUT. Run alone, it does what the processes do one after another.
"""

import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import compress.distill
from compress.augment import Augmentation
from compress.batch_norms import settle
from compress.data import Frames, Source, Stream, collate, loader
from compress.device import choose
from compress.distill import DistillSettings, distill
from compress.gradients import measure
from compress.groups import ChannelGroups
from compress.importance import importance
from compress.loop import Loop, Schedule
from compress.processes import any_of, averaging, by_first, collected, joined, share, summed
from compress.train import TrainSettings, state_file, train
from perception import checkpoint, stop
from perception.spec import InputSpec

SIZE = (64, 96)
CPU = choose("cpu", "fp32")
BATCHES = 5
PROCESSES = 2


def save(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Copies, because tensors in one file must not share memory."""
    by_first(lambda: save_file({name: value.detach().contiguous().clone() for name, value in tensors.items()}, path))


def importances(data: Path, source: Path, out: Path) -> None:
    """By every rule that looks at frames, of five batches: one process has one more than the other."""
    made = checkpoint.load(source).network
    groups = ChannelGroups(made)
    frames = Frames([Source(data)], "train", made.spec)
    for rule in ("weights", "signed"):
        found = measure(made, groups, Stream(frames, 2, 0).take(BATCHES), rule)
        parts = {"importance": found.importance, "conflict": found.by_pair}
        save(out / f"{rule}.safetensors", {f"{k}/{p}": v for k, part in parts.items() for p, v in part.items()})
    taylor = importance("taylor")(made, groups, Stream(frames, 2, 0).take(BATCHES))
    save(out / "taylor.safetensors", taylor.scores)
    assert settle(made, Stream(frames, 2, 0).take(BATCHES), Stream(frames, 2, 1).take(BATCHES)) > 0
    save(out / "statistics.safetensors", {name: value for name, value in made.named_buffers() if "running" in name})


def distillation(data: Path, teacher: Path, out: Path) -> None:
    """Gradients of one batch, of which each process sees a half with batch norms of its own."""
    student = out / "pruned.safetensors"
    made = checkpoint.load(teacher).network
    frames = Frames([Source(data)], "train", made.spec)

    def write() -> None:
        groups = ChannelGroups(made)
        groups.remove({group.path: range(0, group.channels, 2) for group in groups})
        checkpoint.save(student, made, [])

    by_first(write)
    training = TrainSettings([Source(data)], device="cpu", precision="fp32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compress.distill, "run", lambda *arguments: differentiate(frames, out, *arguments))
        distill(student, teacher, training, DistillSettings(), out / "student.safetensors")


def differentiate(frames, out, student, loss, training, compute, path, resume, recipe, distance):
    """In the place of training; adapters stay as they were drawn, since no process alone sees the batch they fit."""
    distance.fitted.fill_(True)
    trained = nn.ModuleDict({"network": student, "extra": distance}).train()
    averaged = averaging(trained, loss)
    own = [share().rank] if share().count > 1 else range(PROCESSES)
    for number in own:
        images, targets = collate([frames[0, index] for index in range(number, len(frames), PROCESSES)])
        (torch.stack(list(averaged(images, targets).values())).sum() / len(own)).backward()
    save(out / "gradients.safetensors", {k: v.grad for k, v in trained.named_parameters() if v.grad is not None})
    return student, {}


def training(data: Path, out: Path) -> None:
    """Numbers that are not finite and signals in the last process are everybody's, and the run goes on from there."""
    last = share().rank == share().count - 1
    state = out / "loop.state.safetensors"
    whole = loop(data, None, spoil={1} if last else set())
    whole.run()
    assert whole.faults.total == 1
    stopped = loop(data, state, spoil={1} if last else set(), terminate={4} if last else set())
    with pytest.raises(stop.Terminated):
        stopped.run()
    assert (stopped.faults.total, stopped._step) == (1, 5)
    resumed = loop(data, state)
    assert resumed.resume() and (resumed.epoch, resumed._step) == (1, 5)
    resumed.run()
    pairs = zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True)
    assert share().rank > 0 or all(torch.equal(one, other) for one, other in pairs)
    weights = torch.cat([parameter.flatten() for parameter in resumed.network.parameters()])
    assert all(torch.equal(weights, other) for other in collected([weights]))


def loop(data: Path, state: Path | None, spoil=(), terminate=()) -> Loop:
    """That teaches a small network the drivable mask."""
    torch.manual_seed(share().rank)
    small = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
    calls = iter(range(100))
    frames = Frames([Source(data, 2)], "train", InputSpec(SIZE), Augmentation())

    def loss(images, targets):
        number = next(calls)
        if number in terminate:
            signal.raise_signal(signal.SIGTERM)
        logits = small(images.permute(0, 3, 1, 2) / 255)[:, 0]
        value = nn.functional.binary_cross_entropy_with_logits(logits, targets.drivable[:, ::2, ::2].float())
        return {"drivable": value * (float("nan") if number in spoil else 1)}

    return Loop(small, loss, loader(frames, 4, 0), Schedule(4, 4, 1e-2), CPU, state=state)


def command(data: Path, out: Path) -> None:
    """A whole training: one process speaks, writes and validates."""
    plan = TrainSettings([Source(data)], Schedule(1, 4), validate_every=1, device="cpu", precision="fp32")
    path = out / "trained.safetensors"
    train("yolop", {"width": 0.25, "size": SIZE}, plan, path)
    (stage,) = checkpoint.load(path).history
    assert stage["processes"] == share().count and len(stage["validation"]) == 1
    assert not state_file(path).exists()


def primitives() -> None:
    """What all else is made of."""
    rank, count = share().rank, share().count
    dealt = list(share().dealt(iter(range(7))))
    assert collected(dealt) == list(range(7))
    assert any_of(rank == count - 1) and not any_of(False)
    assert summed(torch.tensor([1.0, rank])).tolist() == [count, sum(range(count))]
    assert summed(torch.tensor(float("nan") if rank else 1.0)).isfinite() == (count == 1)


def work(data: Path, source: Path, out: Path) -> None:
    """All that one process alone does too."""
    primitives()
    importances(data, source, out)
    distillation(data, source, out)


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, source, out = map(Path, sys.argv[1:])
    with joined():
        assert share().count == PROCESSES
        work(data, source, out)
        training(data, out)
        command(data, out)
        print("done by", share().rank)
