"""Train a network from labelled frames: ``panoedge train --network yolop --width 0.35 --data DIR --out FILE``."""

import contextlib
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.augment import Augmentation
from compress.data import Frames, Source, labelled, loader
from compress.device import Compute, choose
from compress.event_log import EventLog
from compress.loop import Loop, Loss, Schedule
from compress.processes import by_first, share
from compress.validate import validate
from perception import checkpoint
from perception.command import say
from perception.data import Dataset, OnBad, open_dataset
from perception.errors import InputError, require
from perception.evaluation import headline
from perception.files import check_writable, remove, sha256
from perception.networks import network_class
from perception.networks.base import Network, Targets
from perception.tasks import Sample


@dataclass(frozen=True)
class TrainSettings:
    """What ``train`` does beside its schedule.

    Attributes:
        sources: data sets; every frame of each is seen ``repeats`` times an epoch.
        schedule: how long and how fast.
        augmentation: how samples are varied.
        validate_every: epochs between validations on the ``val`` splits; 0 for never.
        validate_frames: how many frames each validation looks at.
        device, precision: see :func:`compress.device.choose`.
        workers: processes that read and augment.
        cache: keep the frames in memory at input size.
        on_bad: what to do about frames that cannot be used, see :class:`compress.data.Frames`.
        task_weights: what :func:`train` multiplies each task's loss by, 1 where absent.
    """

    sources: Sequence[Source]
    schedule: Schedule = field(default_factory=Schedule)
    augmentation: Augmentation = field(default_factory=Augmentation)
    validate_every: int = 5
    validate_frames: int = 300
    device: str = "auto"
    precision: str = "auto"
    workers: int = 0
    cache: bool = False
    on_bad: OnBad = "stop"
    task_weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for name, least in (("validate_every", 0), ("validate_frames", 1), ("workers", 0)):
            require(getattr(self, name) >= least, name.replace("_", "-"), getattr(self, name), f"at least {least}")
        for task, weight in self.task_weights.items():
            require(0 < weight < math.inf, f"task weight {task}", weight, "must be above 0")

    def recipe(self) -> dict[str, Any]:
        """What beside the schedule decides which weights training ends with, as plain values."""
        return {
            "data": [str(source) for source in self.sources],
            "augmentation": asdict(self.augmentation),
            "task_weights": dict(self.task_weights),
        }

    def record(self) -> dict[str, Any]:
        """Plain values for the checkpoint's history."""
        return {"schedule": asdict(self.schedule), **self.recipe()}


def train(
    network: str,
    config: dict[str, Any],
    settings: TrainSettings,
    out: Path,
    start: Path | None = None,
    resume: bool = False,
) -> Network:
    """Train a network and write its checkpoint.

    Args:
        network: registered name.
        config: keyword arguments of its class, those that are not its defaults.
        settings: data and schedule.
        out: checkpoint to write. ``OUT.state`` beside it holds an unfinished run, ``OUT.log`` TensorBoard's files.
        start: checkpoint whose weights training starts from; its network and configuration count then.
        resume: continue from ``OUT.state`` where there is one.

    Raises:
        InputError: for data, sizes or files that cannot be used.
    """
    check_writable(out)
    torch.manual_seed(settings.schedule.seed)
    if start:
        begun = checkpoint.load(start)
        student, history = begun.network, begun.history
    else:
        student, history = _new(network, config), []
    weights, known = settings.task_weights, student.spec.tasks
    if unknown := weights.keys() - set(known):
        raise InputError(f"task weight {min(unknown)}: {student.name} has {', '.join(known)}")
    compute = choose(settings.device, settings.precision)

    def loss(images: Tensor, targets: Targets) -> dict[str, Tensor]:
        with compute.autocast():
            raw = student(student.normalise(images))
        losses = labelled(student.losses(raw, targets), targets)
        return {task: weights.get(task, 1.0) * value for task, value in losses.items()}

    recipe = {"start": sha256(start) if start else None}
    trained, record = run(student, loss, settings, compute, out, resume, recipe)
    finish(out, trained, [*history, {"stage": "train", **settings.record(), **record}])
    return trained


def run(
    network: Network,
    loss: Loss,
    settings: TrainSettings,
    compute: Compute,
    out: Path,
    resume: bool,
    recipe: Mapping[str, Any],
    extra: torch.nn.Module | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Train ``network`` on the settings' data with any loss; returns the averaged network and what to write down.

    A run that is resumed must have been begun with the same ``recipe``, which JSON takes. Of several processes the
    first one validates and logs.
    """
    frames = Frames(
        settings.sources,
        "train",
        network.spec,
        settings.augmentation,
        settings.cache,
        partial=True,
        on_bad=settings.on_bad,
    )
    batches = loader(frames, settings.schedule.batch, settings.schedule.seed, settings.workers)
    every = settings.validate_every
    judges = _judges(settings) if every and share().first else []
    with summary(out) as log:
        recipe = {**settings.recipe(), **recipe, "network": [network.name, network.config]}
        loop = Loop(network, loss, batches, settings.schedule, compute, extra, state_file(out), log, recipe)
        if resume:
            loop.resume()

        def after_epoch(epoch: int) -> None:
            if judges and (epoch % every == 0 or epoch == settings.schedule.epochs):
                samples = _in_turn(judges, settings.on_bad)
                scores = headline(validate(loop.average.module, samples, frames=settings.validate_frames))
                loop.curve.append({"epoch": epoch, **{name: round(value, 4) for name, value in scores.items()}})
                print(f"epoch {epoch}: " + ", ".join(f"{k} {100 * v:.1f}" for k, v in scores.items()), flush=True)
                for name, value in scores.items():
                    log(f"val/{name}", value, epoch)

        trained = loop.run(after_epoch)
    frames.exchange()
    if frames.left_out:
        say(f"{frames.left_out} frames were skipped, they cannot be used; panoedge data check lists them")
    if loop.faults.total:
        say(f"{loop.faults.total} training steps were left out, their numbers were not finite")
    record = {
        "frames": len(frames),
        "skipped_frames": frames.left_out,
        "skipped_steps": loop.faults.total,
        "seconds": round(loop.seconds),
        "validation": loop.curve,
        "processes": share().count,
    }
    return trained.cpu(), {**record, "device": str(compute.device), "precision": str(compute.dtype).split(".")[-1]}


def state_file(out: Path) -> Path:
    """Where an unfinished run that will write ``out`` is kept."""
    return out.with_name(out.stem + ".state.safetensors")


def finish(out: Path, network: Network, history: list[dict[str, Any]]) -> None:
    """Write the checkpoint that a run ends with, and remove its state."""

    def write() -> None:
        checkpoint.save(out, network, history)
        remove(state_file(out))

    by_first(write)


def _new(network: str, config: dict[str, Any]) -> Network:
    """A network with fresh weights; raises InputError where it does not take these settings."""
    kind = network_class(network)
    try:
        inspect.signature(kind).bind(**config)
    except TypeError as error:
        raise InputError(f"network {network}: {error} (see --width, --depth, --size, --resize)") from None
    return kind(**config)


@contextlib.contextmanager
def summary(out: Path) -> Iterator[Callable[[str, float, int], None]]:
    """A function that logs a tag, value and step to TensorBoard files in ``OUT.log``, in the first process."""
    if not share().first:
        yield lambda tag, value, step: None
        return
    with EventLog(out.with_name(out.stem + ".log")) as log:
        yield log


def _judges(settings: TrainSettings) -> list[Dataset]:
    """The validation splits; where pictures are all that is learned from, those that can be used."""
    found = []
    for source in settings.sources:
        try:
            found.append(open_dataset(source.root, "val", on_bad=settings.on_bad))
        except InputError:
            if source.labelled:
                raise
            say(f"{source.root}: has no val split that can be measured on; panoedge data check says why")
    return found


def _in_turn(sets: Sequence[Dataset], on_bad: OnBad) -> Iterator[Sample]:
    """Frames of all validation splits in turn, so that a limit takes an equal share of each."""
    for samples in itertools.zip_longest(*(_usable(data, on_bad) for data in sets)):
        yield from (sample for sample in samples if sample is not None)


def _usable(data: Dataset, on_bad: OnBad) -> Iterator[Sample]:
    for index in range(len(data)):
        try:
            sample = data[index]
        except InputError as error:
            if on_bad == "stop":
                raise
            say(f"skipped in validation: {error}")
        else:
            yield sample
