"""Paired comparisons: what another method has, subtracted from what ours has with the same seed and data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from panoedge.ablate.rows import Row
from panoedge.ablate.settings import NONE, OURS, TEACHER

# Shares of the teacher's cost at which curves are compared.
LEVELS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)


@dataclass(frozen=True)
class Difference:
    """Ours minus the other, in points of one score.

    Attributes:
        mean: over pairs.
        spread: standard deviation over pairs; None of a single one.
        wins: in how many pairs ours is ahead.
        pairs: how many there are.
    """

    mean: float
    spread: float | None
    wins: int
    pairs: int

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Difference | None":
        """None where there is no pair."""
        if not differences:
            return None
        spread = stdev(differences) if len(differences) > 1 else None
        return cls(mean(differences), spread, sum(d > 0 for d in differences), len(differences))


def at_equal_budget(rows: Iterable[Row], share: float, recovery: str, other: str, score: str) -> Difference | None:
    """Ours against ``other`` in one score, at one budget and recovery, over seeds that both have."""
    found = {(row.cell.method, row.cell.seed): row.scores for row in rows if _is(row, share, recovery) and row.scores}
    seeds = sorted({seed for method, seed in found if method == OURS} & {s for method, s in found if method == other})
    return Difference.of([found[OURS, seed][score] - found[other, seed][score] for seed in seeds])


def at_equal_cost(rows: Sequence[Row], cost: str, level: float, other: str, score: str) -> Difference | None:
    """Ours against ``other`` without recovery where both cost ``level`` of the teacher.

    Each method's score is interpolated along its own budgets, seed by seed; a seed where either does not reach the
    level is no pair.
    """
    seeds = sorted({row.cell.seed for row in rows if row.cell.method == OURS})
    both = [[interpolated(rows, method, seed, cost, level, score) for method in (OURS, other)] for seed in seeds]
    return Difference.of([ours - its for ours, its in both if ours is not None and its is not None])


def interpolated(rows: Sequence[Row], method: str, seed: int, cost: str, level: float, score: str) -> float | None:
    """Score of ``method`` at ``level`` of the teacher's cost; None beyond what was measured."""
    points = sorted((row.costs[cost], row.scores[score]) for row in curve(rows, method, cost, seed))
    if not points or not points[0][0] <= level <= points[-1][0]:
        return None
    costs, scores = zip(*points, strict=True)
    return float(np.interp(level, costs, scores))


def curve(rows: Iterable[Row], method: str, cost: str, seed: int | None = None, recovery: str = NONE) -> list[Row]:
    """Rows of one method (and seed) whose ``cost`` is known, and the teacher's."""
    return [
        row
        for row in rows
        if cost in row.costs
        and (
            row.cell.method == TEACHER
            or (row.cell.method == method and row.cell.recovery == recovery and seed in (None, row.cell.seed))
        )
    ]


def _is(row: Row, share: float, recovery: str) -> bool:
    return row.cell.share == share and row.cell.recovery == recovery
