"""Measure something again and again, once it has settled, and sum up."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

Clock = Callable[[], float]
_WINDOW_SECONDS = 0.5
_WINDOW_LAPS = 5
_STEADY = 0.05


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: measure at least this long.
        count: and at least this many times.
        warm_up: give up waiting for steady times after this many seconds.
    """

    seconds: float = 10.0
    count: int = 100
    warm_up: float = 15.0


@dataclass(frozen=True)
class Lap:
    """One measured turn in milliseconds.

    Attributes:
        total: what counts for the frame rate.
        split: by stage; None where a stage does not exist or cannot be told apart.
    """

    total: float
    split: dict[str, float | None] = field(default_factory=dict)


def stopwatch(step: Callable[[], Any], clock: Clock = perf_counter) -> Callable[[], Lap]:
    """Turn any call into one that measures itself."""

    def lap() -> Lap:
        start = clock()
        step()
        return Lap((clock() - start) * 1000)

    return lap


def measure(lap: Callable[[], Lap], effort: Effort, clock: Clock = perf_counter) -> tuple[list[Lap], bool]:
    """Warm up, then collect laps for as long as ``effort`` asks.

    Returns:
        The laps, and whether their time had become steady before the first of them.
    """
    steady = _warm_up(lap, effort.warm_up, clock)
    return _window(lap, effort.seconds, effort.count, clock), steady


def summarise(laps: Iterable[Lap], includes: str) -> dict[str, Any]:
    """Frame rate and percentiles of laps; ``includes`` says in a phrase what was timed."""
    totals = np.array([lap.total for lap in laps])
    seconds = float(totals.sum() / 1000)
    p50, p90, p95, p99 = np.percentile(totals, (50, 90, 95, 99)).tolist()
    return {
        "fps": len(totals) / seconds,
        "ms": {
            "mean": float(totals.mean()),
            "p50": p50,
            "p90": p90,
            "p95": p95,
            "p99": p99,
            "max": float(totals.max()),
        },
        "count": len(totals),
        "seconds": seconds,
        "includes": includes,
    }


def median_split(laps: list[Lap]) -> dict[str, float | None]:
    """The median of each stage; None for one that was never measured."""

    def middle(stage: str) -> float | None:
        values = [value for lap in laps if (value := lap.split[stage]) is not None]
        return median(values) if values else None

    return {stage: middle(stage) for stage in laps[0].split}


def _warm_up(lap: Callable[[], Lap], limit: float, clock: Clock) -> bool:
    """Run until two windows in a row have the same median; caches fill and clocks rise meanwhile."""
    start = clock()
    previous = None
    while clock() - start < limit:
        current = median(one.total for one in _window(lap, _WINDOW_SECONDS, _WINDOW_LAPS, clock))
        if previous is not None and abs(current - previous) <= _STEADY * previous:
            return True
        previous = current
    return False


def _window(lap: Callable[[], Lap], seconds: float, count: int, clock: Clock) -> list[Lap]:
    """Laps until both ``seconds`` have passed and ``count`` are done."""
    laps: list[Lap] = []
    start = clock()
    while len(laps) < count or clock() - start < seconds:
        laps.append(lap())
    return laps
