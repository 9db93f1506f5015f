"""Prune a checkpoint to a budget: ``panoedge prune FILE --data DIR --budget params=0.673 --out FILE``."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from compress.baselines import BEST
from compress.batch_norms import settle
from compress.cost_model import CostModel
from compress.data import Frames, Source, Stream
from compress.device import choose
from compress.groups import ChannelGroups
from compress.importance import importance
from compress.latency import widest_region
from compress.plan import Budget, plan
from compress.processes import by_first
from compress.times import read_times
from perception import checkpoint
from perception.data import OnBad
from perception.errors import InputError, require
from perception.files import check_writable
from perception.networks.base import Network
from perception.progress import Progress


@dataclass(frozen=True)
class PruneSettings:
    """How channels are chosen and removed.

    Attributes:
        budget: what may be left, relative to the network that comes in.
        importance: ``safe``, ``taylor``, ``magnitude`` or ``random``.
        rounds: removals, importance measured anew before each.
        calibration: images each measurement looks at.
        reestimation: images that batch norms are measured on again at the end, see :func:`compress.batch_norms.settle`.
        batch: images at a time.
        round_to: widths stay multiples of this, as tensor cores like them.
        floor: share of a group's channels that always stays.
        conflict, combine, source, penalty, weights: see :class:`compress.importance.Safe`.
        protect: likewise; where None a tenth, or nothing for a budget in time: that lies where a tenth would forbid it.
        refine: likewise; where None 4, or 12 for a budget in time: that falls in stairs, and plans differ more.
        keep: layers that keep all their channels, see :class:`compress.groups.ChannelGroups`.
        region: part of the network, one of its ``regions``; where None the first, or all of it for a budget in time.
        costs: file that ``panoedge cost`` or ``panoedge bench --profile`` wrote; a budget in time needs it.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: of the choice of images and of ``random``.
    """

    budget: Budget
    importance: str = "safe"
    rounds: int = 4
    calibration: int = 64
    reestimation: int = 512
    batch: int = 16
    round_to: int = 8
    floor: float = 0.1
    conflict: float = 0.0
    combine: str = "max"
    protect: float | None = None
    source: str = "weights"
    penalty: str = "product"
    weights: Mapping[str, float] = field(default_factory=dict)
    refine: int | None = None
    keep: Sequence[str] = ()
    region: str | None = None
    costs: str | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for name in ("rounds", "calibration", "reestimation", "batch", "round_to"):
            value = getattr(self, name)
            require(value >= 1, name.replace("_", "-"), value, "at least 1")
        require(self.looks >= 0, "refine", self.looks, "at least 0")
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        for name, value in (("floor", self.floor), ("conflict", self.conflict), ("protect", self.protected)):
            require(0 <= value <= 1, name, value, "must lie between 0 and 1")
        for task, weight in self.weights.items():
            require(0 < weight < math.inf, f"protect {task}", weight, "must be above 0")
        if self.budget.kind == "latency":
            require(self.costs is not None, "budget latency", self.budget.share, "needs --costs; see panoedge cost")

    def recipe(self) -> dict[str, Any]:
        """All of it as plain values, with what the kind of budget decides upon written out."""
        plain = {**asdict(self), "protect": self.protected, "refine": self.looks}
        if not self.keep:
            # Runs and ablations that began before this setting existed go on.
            del plain["keep"]
        if self.importance in BEST:
            plain["score"] = list(BEST[self.importance][self.budget.kind])
        return plain

    @property
    def protected(self) -> float:
        """The share of channels that each task puts out of reach."""
        if self.protect is None:
            return 0.0 if self.budget.kind == "latency" else 0.1
        return self.protect

    @property
    def looks(self) -> int:
        """How often importance is looked at again before channels go."""
        if self.refine is None:
            return 12 if self.budget.kind == "latency" else 4
        return self.refine


def budget_of(text: str, source: Path, costs: str | None) -> Budget:
    """What ``text`` asks for: a share, or of time the milliseconds (``latency=12.5ms``) that are a share of those that
    the network in ``source`` takes by the file ``costs``.

    Raises:
        InputError: for anything else, without costs, or for no less than it takes.
    """
    kind, _, amount = text.partition("=")
    if kind != "latency" or not amount.endswith("ms"):
        return Budget.parse(text)
    if costs is None:
        raise InputError(f"budget {text}: needs --costs; see panoedge cost")
    network = checkpoint.load(source).network
    groups = ChannelGroups(network, widest_region(network))
    whole = CostModel(network, groups, read_times(Path(costs), network)).cost("latency", {})
    try:
        wanted = float(amount.removesuffix("ms"))
    except ValueError:
        raise InputError(f"budget {text!r}: {amount!r} is no number of milliseconds") from None
    if not 0 < wanted < whole:
        raise InputError(f"budget {text}: {source} takes {whole:.2f} ms by {costs}; ask for less, above 0")
    return Budget("latency", wanted / whole)


def prune_checkpoint(
    source: Path,
    data: Sequence[Source],
    settings: PruneSettings,
    out: Path,
    on_bad: OnBad = "stop",
    measured: Path | None = None,
) -> dict[str, Any]:
    """Prune the network in ``source`` with training frames of ``data``, write it to ``out``, return what was done.

    A task that a data set lacks labels for is measured on the others.

    Args:
        source: checkpoint.
        data: data sets.
        settings: how.
        out: checkpoint to write.
        on_bad: what to do about frames that cannot be used.
        measured: checkpoint that the costs are of, ``source`` when absent.

    Raises:
        InputError: for files or data that cannot be used, a task that no data set has labels for, or a budget out of
            reach.
    """
    check_writable(out)
    loaded = checkpoint.load(source)
    spec = loaded.network.spec
    frames = Frames(data, "train", spec, partial=True, on_bad=on_bad)
    if unseen := [task for task in spec.tasks if task not in frames.tasks]:
        raise InputError(
            f"{source}: none of the data has labels for {', '.join(unseen)}; what is not measured cannot be kept safe"
        )
    whole = checkpoint.load(measured).network if measured and settings.costs else None
    record = {**prune(loaded.network, frames, settings, whole), "data": [str(dataset) for dataset in data]}
    by_first(lambda: checkpoint.save(out, loaded.network, [*loaded.history, record]))
    return record


def prune(network: Network, frames: Frames, settings: PruneSettings, measured: Network | None = None) -> dict[str, Any]:
    """Remove channels of ``network`` in place until the budget is met; returns the stage's record.

    The costs are of ``measured``, which it was pruned from, or of the network itself.
    """
    began = time.monotonic()
    # All in float32: what a channel is worth is a small difference of large sums, which bfloat16 drowns.
    device = choose(settings.device, "fp32").device
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    kind, share = settings.budget.kind, settings.budget.share
    rank = importance(
        settings.importance,
        kind,
        settings.seed,
        conflict=settings.conflict,
        combine=settings.combine,
        protect=settings.protected,
        source=settings.source,
        penalty=settings.penalty,
        weights=settings.weights,
        refine=settings.looks,
    )
    times = read_times(Path(settings.costs), measured or network) if settings.costs else None
    region = settings.region or (widest_region(network) if kind == "latency" else None)
    groups = ChannelGroups(network, region, settings.keep)
    model = CostModel(network, groups, times)
    start = {kind: model.cost(kind, {}) for kind in model.kinds}
    floors = {group.path: int(settings.floor * group.channels) for group in groups}
    given_up: list[dict[str, float]] = []
    stream = Stream(frames, settings.batch, settings.seed)
    with Progress("pruning", settings.rounds) as progress:
        for number in range(1, settings.rounds + 1):
            # Equal factors, so that early rounds do not take most of what they know least about.
            target = start[kind] * share ** (number / settings.rounds)
            batches = list(stream.take(max(1, settings.calibration // settings.batch)))
            last = number == settings.rounds
            planned = partial(
                plan,
                groups,
                model=model,
                kind=kind,
                target=target,
                round_to=settings.round_to,
                floors=floors,
                final=last,
            )
            ranking = rank(network, groups, batches, planned)
            doomed = planned(ranking)
            given_up.append({task: round(share, 4) for task, share in ranking.given_up(doomed).items()})
            groups.remove(doomed)
            groups = ChannelGroups(network, region, settings.keep)
            model = CostModel(network, groups, times)
            progress.step(note=f"{kind} {model.cost(kind, {}) / start[kind]:.3f}")
    left = {kind: model.cost(kind, {}) for kind in start}
    seen, judged = (max(1, images // settings.batch) for images in (settings.reestimation, settings.calibration))
    settled = settle(network, stream.take(seen), stream.take(judged))
    network.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    frames.exchange()
    return {
        "stage": "prune",
        **settings.recipe(),
        "before": start,
        "after": left,
        "seconds": round(time.monotonic() - began),
        "skipped_frames": frames.left_out,
        "kept": {kind: round(left[kind] / start[kind], 4) for kind in start},
        "settled": settled,
        # Share of what was each task's importance before the round, by round.
        "given_up": given_up,
    }
