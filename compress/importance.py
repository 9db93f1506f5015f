"""Channel importance: the project's own ``safe`` and Torch-Pruning's ``taylor``, ``magnitude`` and ``random``.

An importance scores every channel of every group; lower goes first. ``safe`` may also forbid removal. The definitions
are this project's reading of a paper of which only the abstract is public (docs/method.md).
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch_pruning as tp
from torch import Tensor

from compress.data import Batch
from compress.groups import ChannelGroup, ChannelGroups, channel_sums
from compress.names import IMPORTANCES
from perception.errors import InputError
from perception.networks.base import Network


@dataclass(frozen=True)
class Ranking:
    """Scores float64 ``[channels]`` and a bool mask of untouchable channels, by group path."""

    scores: dict[str, Tensor]
    forbidden: dict[str, Tensor]


class Importance(Protocol):
    """Anything that ranks the channels of a network from labelled batches."""

    def __call__(self, network: Network, groups: ChannelGroups, batches: Iterable[Batch]) -> Ranking: ...


@dataclass(frozen=True)
class Safe:
    """Task-aware Taylor importance with a penalty for gradient conflict.

    With g_t,c the gradient of task t's loss on the weights of channel c, for each batch b:
    I_t(c) = mean_b |sum(w_c * g_t,c)|, divided by its mean over all channels, so that no task's loss drowns another's;
    TCI(c) = maximum (or sum) over tasks;
    C(c) = mean over batches and task pairs of max(0, -cos(g_s,c, g_t,c)), in [0, 1];
    S(c) = TCI(c) * (1 - conflict * C(c)).
    Channels among the top ``protect`` share of any task are never removed.

    Attributes:
        conflict: weight of the penalty, in [0, 1].
        combine: how tasks join, ``max`` or ``sum``.
        protect: share of channels each task may put out of reach.
    """

    conflict: float = 0.5
    combine: Literal["max", "sum"] = "max"
    protect: float = 0.1

    def __call__(self, network: Network, groups: ChannelGroups, batches: Iterable[Batch]) -> Ranking:
        """Rank from gradients; raises InputError without a batch."""
        measured = measure(network, groups, batches)
        normalised = {
            path: torch.stack([part / measured.mean[number] for number, part in enumerate(by_task)])
            for path, by_task in measured.importance.items()
        }
        joined = {
            path: by_task.amax(0) if self.combine == "max" else by_task.sum(0) for path, by_task in normalised.items()
        }
        scores = {path: tci * (1 - self.conflict * measured.conflict[path]) for path, tci in joined.items()}
        return Ranking(scores, self._top(normalised))

    def _top(self, normalised: dict[str, Tensor]) -> dict[str, Tensor]:
        everything = torch.cat(list(normalised.values()), 1)
        count = int(self.protect * everything.shape[1])
        if not count:
            return {path: torch.zeros(by_task.shape[1], dtype=torch.bool) for path, by_task in normalised.items()}
        bars = everything.topk(count, dim=1).values[:, -1:]
        return {path: (by_task >= bars).any(0) for path, by_task in normalised.items()}


@dataclass(frozen=True)
class Measured:
    """Per group path: importance float64 ``[tasks, channels]`` and conflict ``[channels]``; ``mean`` over all channels,
    ``[tasks]``."""

    importance: dict[str, Tensor]
    conflict: dict[str, Tensor]
    mean: Tensor


def measure(network: Network, groups: Iterable[ChannelGroup], batches: Iterable[Batch]) -> Measured:
    """Per-task Taylor importance and gradient conflict of every channel, averaged over ``batches``.

    The network runs in evaluation mode: batch norms use what they learnt.
    """
    network.eval()
    device = next(network.parameters()).device
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    importance: dict[str, Tensor] = {}
    conflict: dict[str, Tensor] = {}
    seen = 0
    for images, targets in batches:
        seen += 1
        gradients = _task_gradients(network, parameters, images.to(device), targets.to(device))
        pairs = list(itertools.combinations(gradients, 2))
        taylor = [{n: g * parameters[n].detach() for n, g in by_name.items()} for by_name in gradients]
        squares = [{n: g.square() for n, g in by_name.items()} for by_name in gradients]
        products = [{n: a[n] * b[n] for n in a.keys() & b.keys()} for a, b in pairs]
        for group in groups:
            by_task = torch.stack([channel_sums(group, values).abs() for values in taylor])
            norms = [channel_sums(group, values).sqrt() for values in squares]
            clashes = [
                (-channel_sums(group, product) / (a * b).clamp(min=1e-30)).clamp(0, 1)
                for product, (a, b) in zip(products, itertools.combinations(norms, 2), strict=True)
            ]
            clash = torch.stack(clashes).mean(0) if clashes else torch.zeros(group.channels, dtype=torch.float64)
            importance[group.path] = importance.get(group.path, 0) + by_task
            conflict[group.path] = conflict.get(group.path, 0) + clash
    if not seen:
        raise InputError("importance: no calibration frames")
    if not importance:
        raise InputError(f"{network.name}: its region holds no layer whose channels may be removed")
    importance = {path: total / seen for path, total in importance.items()}
    mean = torch.cat(list(importance.values()), 1).mean(1).clamp(min=1e-30)
    return Measured(importance, {path: total / seen for path, total in conflict.items()}, mean)


def _task_gradients(
    network: Network, parameters: Mapping[str, Tensor], images: Tensor, targets
) -> list[dict[str, Tensor]]:
    """One dictionary a task: gradients by parameter name, absent where the task does not reach."""
    losses = list(network.losses(network(network.normalise(images)), targets).values())
    gradients = []
    for number, loss in enumerate(losses):
        found = torch.autograd.grad(
            loss, list(parameters.values()), retain_graph=number + 1 < len(losses), allow_unused=True
        )
        gradients.append({name: g for name, g in zip(parameters, found, strict=True) if g is not None})
    return gradients


@dataclass(frozen=True)
class TorchPruning:
    """One of Torch-Pruning's importances; the summed loss is what its Taylor score sees."""

    name: Literal["taylor", "magnitude", "random"]
    seed: int = 0

    def __call__(self, network: Network, groups: ChannelGroups, batches: Iterable[Batch]) -> Ranking:
        """Rank with Torch-Pruning's defaults."""
        importance = {
            "taylor": tp.importance.GroupTaylorImportance,
            "magnitude": tp.importance.GroupMagnitudeImportance,
            "random": tp.importance.RandomImportance,
        }[self.name]()
        if self.name == "taylor":
            _accumulate_gradients(network, batches)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            scores = {group.path: importance(group.source).detach().double().cpu() for group in groups}
        network.zero_grad(set_to_none=True)
        return Ranking(scores, {path: torch.zeros(len(part), dtype=torch.bool) for path, part in scores.items()})


def _accumulate_gradients(network: Network, batches: Iterable[Batch]) -> None:
    network.eval()
    network.zero_grad()
    device = next(network.parameters()).device
    seen = 0
    for images, targets in batches:
        seen += 1
        losses = network.losses(network(network.normalise(images.to(device))), targets.to(device))
        torch.stack(list(losses.values())).sum().backward()
    if not seen:
        raise InputError("importance: no calibration frames")


def importance(name: str, seed: int = 0, **safe) -> Importance:
    """The importance called ``name``; ``safe`` holds arguments of :class:`Safe`."""
    if name not in IMPORTANCES:
        raise InputError(f"importance {name!r}: choose from {', '.join(IMPORTANCES)}")
    return Safe(**safe) if name == "safe" else TorchPruning(name, seed)  # type: ignore[arg-type]
