"""From scores to a removal plan that meets a budget: whole blocks of channels, cheapest first."""

from dataclasses import dataclass
from typing import Literal

from compress.cost_model import CostModel
from compress.groups import ChannelGroup, ChannelGroups
from compress.importance import Ranking
from perception.errors import InputError

# Shares by which a plan may stay above its target, and fall below it.
ABOVE, BELOW = 0.005, 0.01


class OutOfReach(InputError):
    """Forbidden channels, floors and the size of blocks leave no way to a budget."""


@dataclass(frozen=True)
class Budget:
    """What may be left: a share in (0, 1) of ``params`` or ``macs``."""

    kind: Literal["params", "macs"]
    share: float

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """``params=0.673`` or ``macs=0.5``; raises :class:`InputError` for anything else."""
        kind, _, share = text.partition("=")
        if kind not in ("params", "macs"):
            raise InputError(f"budget {text!r}: expected params=SHARE or macs=SHARE, such as params=0.673")
        try:
            value = float(share)
        except ValueError:
            raise InputError(f"budget {text!r}: {share!r} is not a number") from None
        if not 0 < value < 1:
            raise InputError(f"budget {text!r}: the share that stays must lie between 0 and 1")
        return cls(kind, value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Block:
    """Channels of one group that go together so that its width stays a round number."""

    group: str
    channels: tuple[int, ...]
    score: float


def plan(
    groups: ChannelGroups,
    ranking: Ranking,
    model: CostModel,
    kind: str,
    target: float,
    round_to: int = 8,
    floors: dict[str, int] | None = None,
    final: bool = True,
) -> dict[str, list[int]]:
    """Choose channels to remove, by group path, until ``kind`` costs at most ``target``.

    Every group's channels are sorted by score and cut into blocks such that each removal leaves a multiple of
    ``round_to``; blocks of all groups compete by their mean score. A block that would overshoot is passed over for
    smaller ones, so the budget is met within 1 %, if blocks are small enough. Where they are not, a plan that is not
    ``final`` stops above its target, since another will follow.

    Raises:
        OutOfReach: where forbidden channels, floors and the size of blocks leave no way to a final target.
    """
    waiting = {group.path: _blocks(group, ranking, round_to, (floors or {}).get(group.path, 0)) for group in groups}
    removed: dict[str, list[int]] = {path: [] for path in waiting}
    counts = dict.fromkeys(waiting, 0)
    while model.cost(kind, counts) > target * (1 + ABOVE):
        heads = sorted((blocks[0] for blocks in waiting.values() if blocks), key=lambda b: (b.score, b.group))
        for block in heads:
            trial = {**counts, block.group: counts[block.group] + len(block.channels)}
            if model.cost(kind, trial) >= target * (1 - BELOW):
                break
            waiting[block.group] = []  # the whole block is too much, and later ones of this group wait behind it
        else:
            if not final:
                break
            left = model.cost(kind, counts) / model.cost(kind, {})
            wanted = target / model.cost(kind, {})
            raise OutOfReach(
                f"budget: {wanted:.3f} of the {kind} cannot be met, {left:.3f} remain; "
                "protect fewer channels, round to less or lower the floor"
            )
        waiting[block.group] = waiting[block.group][1:]
        removed[block.group] += block.channels
        counts = trial
    return removed


def _blocks(group: ChannelGroup, ranking: Ranking, round_to: int, floor: int) -> list[_Block]:
    """Blocks of a group in the order they would go; the first one takes the width to a multiple of ``round_to``."""
    scores, forbidden = ranking.scores[group.path].tolist(), ranking.forbidden[group.path].tolist()
    doomed = sorted((score, channel) for channel, score in enumerate(scores) if not forbidden[channel])
    blocks: list[_Block] = []
    width = group.channels
    while True:
        size = width % round_to or round_to
        if width - size < max(floor, round_to) or len(doomed) < size:
            return blocks
        part, doomed = doomed[:size], doomed[size:]
        mean = sum(score for score, _ in part) / size
        blocks.append(_Block(group.path, tuple(channel for _, channel in part), mean))
        width -= size
