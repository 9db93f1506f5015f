"""Channel importance: the project's own ``safe``, and all by name.

The definitions are this project's reading of a paper of which only the abstract is public (docs/method.md).
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal

import torch
from torch import Tensor

from compress.baselines import TorchPruning
from compress.data import Batch
from compress.gradients import measure
from compress.groups import ChannelGroups, weakened
from compress.judge import Judged, judge
from compress.names import IMPORTANCES, CostKind
from compress.ranking import Importance, Planned, Ranking
from perception.errors import InputError
from perception.networks.base import Network


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
    times. Of all plans the one is taken that costs least with its channels gone: of each task weight_t times the share
    that it lost of what it is better by than without any channel of the groups, squared and summed, so that the
    worst-off counts most. Tasks are judged by what they show, average precision and masks' overlap with the labels,
    of which a loss says little: it rises where a mask only grows less sure. A task that shows nothing yet is judged by
    its loss.

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
        whole = _without(network, groups, batches, {})
        nothing = _without(network, groups, batches, {group.path: range(group.channels) for group in groups})
        tried = [
            (self._lost(ranking.reached, _without(network, groups, batches, doomed), whole, nothing), ranking)
            for ranking, doomed in itertools.islice(plans, self.refine + 1)
        ]
        # The last one where all are level.
        return min(reversed(tried), key=itemgetter(0))[1]

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

    def _lost(self, tasks: Iterable[str], found: Judged, whole: Judged, nothing: Judged) -> float:
        """Root of the sum of squares of the weighted shares that ``tasks`` lost of their leads, where they have one."""
        shares = []
        for task in tasks:
            shown = whole.scores.get(task, 0.0) > nothing.scores.get(task, 0.0)
            left, full, none = (one.scores[task] if shown else -one.losses[task] for one in (found, whole, nothing))
            if full > none:
                shares.append(self.weights.get(task, 1.0) * (full - left) / (full - none))
        return math.hypot(*(max(share, 0.0) if math.isfinite(share) else math.inf for share in shares))

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


def importance(name: str, kind: CostKind = "params", seed: int = 0, **safe) -> Importance:
    """The importance called ``name``, for budgets of a ``kind``; ``safe`` holds arguments of :class:`Safe`."""
    if name not in IMPORTANCES:
        raise InputError(f"importance {name!r}: choose from {', '.join(IMPORTANCES)}")
    return Safe(**safe) if name == "safe" else TorchPruning(name, kind, seed)  # type: ignore[arg-type]
