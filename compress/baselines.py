"""Torch-Pruning's own importances, ``taylor``, ``magnitude`` and ``random``, to compare with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
import torch_pruning as tp

from compress.data import Batch, labelled
from compress.groups import ChannelGroups
from compress.names import CostKind
from compress.processes import collected
from compress.ranking import Planned, Ranking
from perception.errors import InputError
from perception.networks.base import Network

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
