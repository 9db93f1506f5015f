"""From scores to a removal plan that meets a budget: whole blocks of channels, cheapest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from compress.cost_model import CostModel
from compress.groups import ChannelGroup, ChannelGroups
from compress.names import COST_KINDS, CostKind
from compress.ranking import Ranking
from perception.errors import InputError

# Shares by which a plan may stay above its target, and fall below it.
ABOVE, BELOW = 0.005, 0.01
# So many blocks a group may offer at once: stairs of time are higher than one.
_AHEAD = {"params": 1, "macs": 1, "latency": 8}


class OutOfReach(InputError):
    """Forbidden channels, floors and the size of blocks leave no way to a budget."""


@dataclass(frozen=True)
class Budget:
    """What may be left: a share in (0, 1) of ``params``, ``macs`` or ``latency``."""

    kind: CostKind
    share: float

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """``params=0.673``, ``macs=0.5`` or ``latency=0.6``; raises :class:`InputError` for anything else."""
        kind, _, share = text.partition("=")
        if kind not in COST_KINDS:
            raise InputError(f"budget {text!r}: expected {', '.join(COST_KINDS)} and a share, such as params=0.673")
        try:
            value = float(share)
        except ValueError:
            raise InputError(f"budget {text!r}: {share!r} is not a number") from None
        if not 0 < value < 1:
            raise InputError(f"budget {text!r}: the share that stays must lie between 0 and 1")
        return cls(kind, value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Block:
    """Channels of one group that go together so that its width stays a round number; their summed score."""

    channels: tuple[int, ...]
    score: float


class _Offer(NamedTuple):
    """So many of the next blocks of a group: their price in score, and what they save."""

    price: float
    group: str
    blocks: int
    saved: float


def plan(
    groups: ChannelGroups,
    ranking: Ranking,
    model: CostModel,
    kind: CostKind,
    target: float,
    round_to: int = 8,
    floors: dict[str, int] | None = None,
    final: bool = True,
) -> dict[str, list[int]]:
    """Choose channels to remove, by group path, until ``kind`` costs at most ``target``.

    Every group's channels are sorted by score and cut into blocks such that each removal leaves a multiple of
    ``round_to``. Blocks of all groups compete by their score for each millisecond or multiply-accumulate saved (as in
    HALP, Shen et al., NeurIPS 2022, whose knapsack is solved greedily here, because what a layer costs depends on two
    groups at a time); for parameters by their mean score. A block that would overshoot is passed over for smaller ones,
    so the budget is met within 1 %, if blocks are small enough. Where they are not, a plan that is not ``final`` stops
    above its target, since another will follow.

    Time falls in stairs. So a group may offer several blocks at once: one that saves nothing by itself goes together
    with the next, or stays. And a final plan ends on the lowest stair that reaches its target.

    Raises:
        OutOfReach: where forbidden channels, floors and the size of blocks leave no way to a final target.
    """
    # Prices are quotients, so that scores below 0 would make the worst block of a group the cheapest.
    base = min(0.0, *(float(scores.min()) for scores in ranking.scores.values()))
    waiting = {
        group.path: _blocks(group, ranking, base, round_to, (floors or {}).get(group.path, 0)) for group in groups
    }
    removed: dict[str, list[int]] = {path: [] for path in waiting}
    counts = dict.fromkeys(waiting, 0)
    whole = left = model.cost(kind, {})
    by_group = {path: _offers(path, blocks, model, kind, counts) for path, blocks in waiting.items()}
    while left > target * (1 + ABOVE):
        offers = [offer for of_group in by_group.values() for offer in of_group]
        best = min((offer for offer in offers if left - offer.saved >= target * (1 - BELOW)), default=None)
        if best is None and not final:
            break
        if best is None and kind == "latency":
            best = min(offers, key=lambda offer: offer.saved, default=None)
        if best is None:
            raise OutOfReach(
                f"budget: {target / whole:.3f} of the {kind} cannot be met, {left / whole:.3f} remain; "
                "protect or keep fewer channels, round to less or open a larger region"
            )
        taken, waiting[best.group] = waiting[best.group][: best.blocks], waiting[best.group][best.blocks :]
        removed[best.group] += [channel for block in taken for channel in block.channels]
        counts[best.group] = len(removed[best.group])
        left -= best.saved
        for path in model.sharing(best.group):  # what the others would save is as before
            by_group[path] = _offers(path, waiting[path], model, kind, counts)
    return removed


def _offers(
    path: str, blocks: Sequence[_Block], model: CostModel, kind: CostKind, counts: Mapping[str, int]
) -> list[_Offer]:
    """The first block of a group, the first two, and so on, as far as they save something."""
    offers, count, score = [], 0, 0.0
    for number, block in enumerate(blocks[: _AHEAD[kind]], 1):
        count, score = count + len(block.channels), score + block.score
        saved = model.saving(kind, counts, path, count)
        if saved > 0:
            offers.append(_Offer(score / (count if kind == "params" else saved), path, number, saved))
    return offers


def _blocks(group: ChannelGroup, ranking: Ranking, base: float, round_to: int, floor: int) -> list[_Block]:
    """Blocks of a group in the order they would go, their scores above ``base``; the first one takes the width to a
    multiple of ``round_to``."""
    scores, forbidden = ranking.scores[group.path].tolist(), ranking.forbidden[group.path].tolist()
    doomed = sorted((score, channel) for channel, score in enumerate(scores) if not forbidden[channel])
    blocks: list[_Block] = []
    width = group.channels
    while True:
        size = width % round_to or round_to
        if width - size < max(floor, round_to) or len(doomed) < size:
            return blocks
        part, doomed = doomed[:size], doomed[size:]
        blocks.append(_Block(tuple(channel for _, channel in part), sum(score - base for score, _ in part)))
        width -= size
