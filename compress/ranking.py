"""What an importance gives: a score for every channel of every group, of which lower goes first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from compress.data import Batch
from compress.groups import ChannelGroups
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
