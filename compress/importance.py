"""Channel importance: the project's own ``safe`` and Torch-Pruning's ``taylor``, ``magnitude`` and ``random``.

An importance scores every channel of every group; lower goes first. ``safe`` may also forbid removal. The definitions
are this project's reading of a paper of which only the abstract is public (docs/method.md).
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, Protocol

import torch
import torch_pruning as tp
from torch import Tensor

from compress.data import Batch, labelled
from compress.gradients import measure
from compress.groups import ChannelGroups, weakened
from compress.names import IMPORTANCES, CostKind
from compress.processes import collected
from compress.task_losses import Judged, judge
from perception.errors import InputError
from perception.networks.base import Network


@dataclass(frozen=True)
class Ranking:
    """What to remove first, by group path.

    Attributes:
        scores: float64 ``[channels]``.
        forbidden: bool ``[channels]``, those that must stay.
        by_task: importance to each task alone, float64 ``[channels]`` with a mean of 1 over all channels that the task
            reaches, by task; of an importance that tells tasks apart.
    """

    scores: dict[str, Tensor]
    forbidden: dict[str, Tensor]
    by_task: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @property
    def reached(self) -> list[str]:
        """Tasks that any of the channels matter to; in a region not all may."""
        return [task for task, parts in self.by_task.items() if any(part.any() for part in parts.values())]

    def given_up(self, removed: Mapping[str, Sequence[int]]) -> dict[str, float]:
        """Share of each task's importance that goes with the ``removed`` channels."""
        return {
            task: float(sum(part[list(removed.get(path, ()))].sum() for path, part in parts.items()))
            / max(1.0, float(sum(part.sum() for part in parts.values())))
            for task, parts in self.by_task.items()
        }


# The channels that would go by a ranking, by group path.
Planned = Callable[[Ranking], Mapping[str, Sequence[int]]]


class Importance(Protocol):
    """Anything that ranks the channels of a network from labelled batches; ``planned`` says what would follow."""

    def __call__(
        self, network: Network, groups: ChannelGroups, batches: Iterable[Batch], planned: Planned | None = None
    ) -> Ranking: ...


@dataclass(frozen=True)
class Safe:
    """Task-aware Taylor importance, looked at again with the planned channels halfway gone.

    With g_t,c the gradient of task t's loss on the weights w_c that read channel c, for each batch b:
    I_t(c) = mean_b |sum(w_c * g_t,c)|, divided by its mean over all channels that task t reaches, so that no task's
    loss drowns another's, and none seems to need shared channels more for having fewer of its own;
    TCI(c) = maximum (or sum) over tasks of weight_t * I_t(c);
    C(c) = mean over batches and task pairs of max(0, -cos(g_s,c, g_t,c)), in [0, 1];
    S(c) = TCI(c) * (1 - conflict * C(c)).
    Channels among the top ``protect`` share of any task that reaches them are never removed.

    That is to first order, channel by channel. Many channels that are worth nothing one at a time may be worth much
    together. So what S would remove is read at half its strength, and each of its channels takes
    D_t(c) = max(0, -mean_b sum(w_c * g_t,c)) for I_t(c) where that is more. By the midpoint rule a plan costs task t
    the sum of its D_t, were they not cut off at 0 (Aumann and Shapley, Values of Non-Atomic Games, 1974). The next plan
    avoids what turned out dear, for channels that may turn out so when they are looked at. So that is done ``refine``
    times. Of all plans the one is taken that leaves most with its channels gone: by how much each task is better than
    without any channel of the groups, to the power of its weight, multiplied over the tasks that they reach. A mask is
    judged by its overlap with the labels at its threshold, which a loss says little of: it rises where a mask only
    grows less sure. Other tasks are judged by their losses, and all where no plan leaves every mask something.

    Attributes:
        conflict: weight of the penalty, in [0, 1].
        combine: how tasks join, ``max`` or ``sum``.
        protect: share of channels each task may put out of reach; a task's weight multiplies its own.
        source: what the conflict is measured on, see :func:`compress.gradients.measure`.
        penalty: how it enters: ``product`` as above; ``rank`` takes its rank from that of TCI, both in [0, 1]; ``tie``
            lets it decide only among channels whose TCI differs by less than a fifth.
        weights: how much each task counts, 1 where absent.
        refine: times to look again.
    """

    conflict: float = 0.0
    combine: Literal["max", "sum"] = "max"
    protect: float = 0.0
    source: str = "weights"
    penalty: Literal["product", "rank", "tie"] = "product"
    weights: Mapping[str, float] = field(default_factory=dict)
    refine: int = 4

    def __call__(
        self, network: Network, groups: ChannelGroups, batches: Iterable[Batch], planned: Planned | None = None
    ) -> Ranking:
        """Rank from gradients; ``batches`` are gone through again where there is a plan to refine.

        Raises:
            InputError: without a batch, or for the weight of a task that there is not.
        """
        if unknown := self.weights.keys() - set(network.spec.tasks):
            raise InputError(f"protect {min(unknown)}: {network.name} has {', '.join(network.spec.tasks)}")
        if not planned or not self.refine:
            return next(self._plans(network, groups, batches, lambda ranking: {}))[0]
        plans = self._plans(network, groups, batches, planned)
        nothing = _without(network, groups, batches, {group.path: range(group.channels) for group in groups})
        tried = [
            (self._left(ranking.reached, _without(network, groups, batches, doomed), nothing), ranking)
            for ranking, doomed in itertools.islice(plans, self.refine + 1)
        ]
        # The last one where none leaves anything.
        return max(reversed(tried), key=itemgetter(0))[1]

    def _plans(
        self, network: Network, groups: ChannelGroups, batches: Iterable[Batch], planned: Planned
    ) -> Iterator[tuple[Ranking, Mapping[str, Sequence[int]]]]:
        """Rankings and what goes by them, the first to first order, each other after a look at the one before it.

        They end where a look leads to the same plan again.
        """
        measured = measure(network, groups, batches, self.source if self.conflict else None)
        weights = torch.tensor([self.weights.get(task, 1.0) for task in measured.tasks], dtype=torch.float64)
        by_task = {path: part / measured.mean[:, None] for path, part in measured.importance.items()}
        rows = {task: {path: part[row] for path, part in by_task.items()} for row, task in enumerate(measured.tasks)}
        forbidden = self._top(by_task, weights)
        tci = {path: self._joined(part, weights) for path, part in by_task.items()}
        last = None
        while True:
            ranking = Ranking(self._penalised(tci, measured.conflict), forbidden, rows)
            doomed = planned(ranking)
            if doomed == last:
                return
            yield ranking, doomed
            with weakened(network, groups, doomed, 0.5):
                change = measure(network, groups, batches, None).change
            for path, going in doomed.items():
                # Their weights are halves, so that these are halves too.
                together = 2 * change[path][:, list(going)].clamp(min=0) / measured.mean[:, None]
                tci[path][list(going)] = tci[path][list(going)].maximum(self._joined(together, weights))
            last = doomed

    def _left(self, tasks: Iterable[str], found: Judged, nothing: Judged) -> tuple[float, float]:
        """What is left of ``tasks``: with masks by their overlaps, and all by their losses."""
        losses = {task: nothing.losses[task] - found.losses[task] for task in tasks}
        overlaps = {task: found.overlaps[task] - nothing.overlaps[task] for task in tasks if task in found.overlaps}
        return self._product(losses | overlaps), self._product(losses)

    def _product(self, gains: Mapping[str, float]) -> float:
        """Its logarithm, each gain to the power of its task's weight."""
        if not all(gain > 0 for gain in gains.values()):
            return -math.inf
        return sum(self.weights.get(task, 1.0) * math.log(gain) for task, gain in gains.items())

    def _joined(self, by_task: Tensor, weights: Tensor) -> Tensor:
        weighted = by_task * weights[:, None]
        return weighted.amax(0) if self.combine == "max" else weighted.sum(0)

    def _penalised(self, tci: dict[str, Tensor], conflict: dict[str, Tensor]) -> dict[str, Tensor]:
        scores = _PENALTIES[self.penalty](
            torch.cat(list(tci.values())), torch.cat(list(conflict.values())), self.conflict
        )
        return dict(zip(tci, scores.split([len(part) for part in tci.values()]), strict=True))

    def _top(self, by_task: dict[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
        rows = torch.cat(list(by_task.values()), 1)
        bars = [_bar(row, self.protect * float(weight)) for row, weight in zip(rows, weights, strict=True)]
        limits = torch.tensor(bars, dtype=torch.float64)[:, None]
        # A task that reaches few channels needs no more than those.
        return {path: ((part >= limits) & (part > 0)).any(0) for path, part in by_task.items()}


def _without(
    network: Network, groups: ChannelGroups, batches: Iterable[Batch], doomed: Mapping[str, Sequence[int]]
) -> Judged:
    """How the tasks do with the channels gone."""
    with weakened(network, groups, doomed, 0.0):
        return judge(network, batches)


def _bar(values: Tensor, share: float) -> float:
    """What the top ``share`` of the values reach."""
    count = min(int(share * len(values)), len(values))
    return float(values.topk(count).values[-1]) if count else math.inf


def _product(tci: Tensor, conflict: Tensor, weight: float) -> Tensor:
    return tci * (1 - weight * conflict)


def _rank(tci: Tensor, conflict: Tensor, weight: float) -> Tensor:
    return _ranks(tci) - weight * _ranks(conflict)


def _ranks(values: Tensor) -> Tensor:
    """Share of the values that are smaller."""
    return torch.searchsorted(values.sort().values, values).double() / len(values)


def _tie(tci: Tensor, conflict: Tensor, weight: float) -> Tensor:
    """A conflict of at most 1 never reaches the next lower step, of which four double the score."""
    return torch.exp2(((4 * tci.log2()).floor() - weight * conflict) / 4)


_PENALTIES = {"product": _product, "rank": _rank, "tie": _tie}


# How Torch-Pruning reduces a group's layers to one score and makes groups comparable: the best on the worst task of
# reductions mean, sum, max and first with normalisers none, mean, max and lamp, for the embedded teacher and each kind
# of budget (docs/ablation.md). Its defaults, twice mean, are far behind.
BEST: dict[str, dict[CostKind, tuple[str, str | None]]] = {
    "taylor": {"params": ("mean", "lamp"), "macs": ("sum", None), "latency": ("first", None)},
    "magnitude": {"params": ("first", "max"), "macs": ("first", "lamp"), "latency": ("first", "max")},
}
_SCORES = {"taylor": tp.importance.GroupTaylorImportance, "magnitude": tp.importance.GroupMagnitudeImportance}


@dataclass(frozen=True)
class TorchPruning:
    """One of Torch-Pruning's importances; the summed loss is what its Taylor score sees.

    Attributes:
        name: which.
        kind: of the budget that it is to be at its best for.
        seed: of ``random``.
    """

    name: Literal["taylor", "magnitude", "random"]
    kind: CostKind = "params"
    seed: int = 0

    def __call__(
        self, network: Network, groups: ChannelGroups, batches: Iterable[Batch], planned: Planned | None = None
    ) -> Ranking:
        """Rank with Torch-Pruning's best settings, whatever is planned.

        Raises:
            InputError: ``taylor`` gets no batch, or a score is not finite.
        """
        importance = self._score()
        if self.name == "taylor":
            _accumulate_gradients(network, batches)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            scores = {group.path: importance(group.source).detach().double().cpu() for group in groups}
        network.zero_grad(set_to_none=True)
        if spoiled := [path for path, part in scores.items() if not part.isfinite().all()]:
            raise InputError(
                f"{network.name}: {self.name} importance of {spoiled[0]} is not finite; nor are its weights or losses"
            )
        return Ranking(scores, {path: torch.zeros(len(part), dtype=torch.bool) for path, part in scores.items()})

    def _score(self) -> tp.importance.Importance:
        if self.name == "random":
            return tp.importance.RandomImportance()
        reduction, normaliser = BEST[self.name][self.kind]
        return _SCORES[self.name](group_reduction=reduction, normalizer=normaliser)


def _accumulate_gradients(network: Network, batches: Iterable[Batch]) -> None:
    """Over the batches of all processes."""
    network.eval()
    network.zero_grad()
    device = next(network.parameters()).device
    seen = 0
    for images, targets in batches:
        seen += 1
        losses = labelled(network.losses(network(network.normalise(images.to(device))), targets.to(device)), targets)
        torch.stack(list(losses.values())).sum().backward()
    weights = dict(network.named_parameters())
    own = {name: weight.grad.cpu() for name, weight in weights.items() if weight.grad is not None}
    parts = [found for batches_seen, found in collected([(seen, own)]) if batches_seen]
    if not parts:
        raise InputError("importance: no calibration frames")
    # Not every process need have seen labels for every head.
    for name in {name: None for found in parts for name in found}:
        first, *rest = (found[name] for found in parts if name in found)
        weights[name].grad = sum(rest, first).to(device)


def importance(name: str, kind: CostKind = "params", seed: int = 0, **safe) -> Importance:
    """The importance called ``name``, for budgets of a ``kind``; ``safe`` holds arguments of :class:`Safe`."""
    if name not in IMPORTANCES:
        raise InputError(f"importance {name!r}: choose from {', '.join(IMPORTANCES)}")
    return Safe(**safe) if name == "safe" else TorchPruning(name, kind, seed)  # type: ignore[arg-type]
