"""Measure things again and again, once they have settled, turn and turn about, and sum up."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from math import isqrt
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from runtime.pipeline import SourceLost

Clock = Callable[[], float]
_WINDOW_SECONDS = 0.5
_WINDOW_LAPS = 5
_STEADY = 0.05
# Not counted at the beginning of each slice: queues fill, and caches forget what was measured in between.
_SETTLING_LAPS = 3
# Of a timeline: enough for a plot, whatever the length of the run.
_POINTS = 120


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: measure at least this long.
        count: and at least this many times.
        warm_up: give up waiting for steady times after this many seconds.
        slices: what the time is cut into. Things that are compared take turns, so that a machine which slows down
            does so for all of them.
    """

    seconds: float = 10.0
    count: int = 100
    warm_up: float = 15.0
    slices: int = 10


@dataclass(frozen=True)
class Lap:
    """One measured turn in milliseconds.

    Attributes:
        total: what counts for the frame rate.
        split: by stage; None where a stage does not exist or cannot be told apart.
    """

    total: float
    split: dict[str, float | None] = field(default_factory=dict)


@dataclass
class Course:
    """What was measured of one thing.

    Attributes:
        slices: its laps, slice by slice.
        steady: whether times had become steady before the first of them.
    """

    slices: list[list[Lap]] = field(default_factory=list)
    steady: bool = False

    @property
    def laps(self) -> list[Lap]:
        """Of all slices, in order."""
        return [lap for laps in self.slices for lap in laps]


# Makes one thing ready to be measured for a while and gives the call that measures it once.
Meter = Callable[[], AbstractContextManager[Callable[[], Lap]]]


def stopwatch(step: Callable[[], Any], clock: Clock = perf_counter) -> Callable[[], Lap]:
    """Turn any call into one that measures itself."""

    def lap() -> Lap:
        start = clock()
        step()
        return Lap((clock() - start) * 1000)

    return lap


def always(lap: Callable[[], Lap]) -> Meter:
    """The meter of what needs nothing made ready."""
    return lambda: nullcontext(lap)


def measure(meters: Sequence[Meter], effort: Effort, clock: Clock = perf_counter) -> tuple[list[Course], str]:
    """Warm each meter up, then collect laps of all, slice by slice, for as long as ``effort`` asks.

    Every second round goes backwards, so that what changes steadily meanwhile favours none of them.

    Returns:
        What was measured by meter, and why it ended early: "" where it did not, else the source's last words.
    """
    courses = [Course() for _ in meters]
    turns = list(zip(meters, courses, strict=True))
    try:
        for meter, course in turns:
            with meter() as lap:
                course.steady = _warm_up(lap, effort, clock)
        for _ in range(effort.slices):
            for meter, course in turns:
                with meter() as lap:
                    _slice(lap, course, effort, clock)
            turns.reverse()
    except SourceLost as loss:
        return courses, str(loss)
    return courses, ""


def summarise(course: Course, includes: str) -> dict[str, Any] | None:
    """Frame rate, percentiles and spread; None where nothing was measured.

    ``jitter`` is the mean difference between one lap and the next, ``max`` the longest stall, ``slices`` the frame
    rates of the slices. ``includes`` says in a phrase what was timed.
    """
    if not course.laps:
        return None
    totals = np.array([lap.total for lap in course.laps])
    seconds = float(totals.sum() / 1000)
    return {
        "fps": len(totals) / seconds,
        "ms": percentiles(totals),
        "jitter": _jitter(course),
        "count": len(totals),
        "seconds": seconds,
        "steady": course.steady,
        "slices": slice_rates(course),
        "histogram": histogram(totals),
        "timeline": timeline(totals),
        "includes": includes,
    }


def percentiles(milliseconds: np.ndarray) -> dict[str, float]:
    """Mean, p50, p90, p95, p99 and max."""
    p50, p90, p95, p99 = np.percentile(milliseconds, (50, 90, 95, 99)).tolist()
    mean, longest = float(milliseconds.mean()), float(milliseconds.max())
    return {"mean": mean, "p50": p50, "p90": p90, "p95": p95, "p99": p99, "max": longest}


def histogram(milliseconds: np.ndarray, most: int = 32) -> dict[str, list[float] | list[int]]:
    """How often a time fell between one of ``ms`` and the next: ``count``, one fewer and at most ``most``.

    Bins are of equal width up to p99, and one holds what was slower: a single stall must not flatten all the others.
    The fewer times there are, the fewer bins, or chance would show most.
    """
    usual = milliseconds[milliseconds <= np.percentile(milliseconds, 99)]
    edges = np.histogram_bin_edges(usual, min(most, 4 + isqrt(len(milliseconds))) - 1)
    longest = float(milliseconds.max())
    if longest > edges[-1]:
        edges = np.append(edges, max(longest, 2 * edges[-1] - edges[-2]))
    counts, _ = np.histogram(milliseconds, edges)
    return {"ms": _short(edges), "count": counts.tolist()}


def timeline(milliseconds: np.ndarray, points: int = _POINTS) -> dict[str, list[float]]:
    """How times went: groups of equally many successive laps (the last may have fewer), at most ``points`` of them.

    Returns:
        Of each group the ``seconds`` measured up to its end, and the ``p50`` and ``max`` of its times.
    """
    # Groups of different sizes would scatter differently, and so look like a change.
    size = -(-len(milliseconds) // points)
    groups = [milliseconds[start : start + size] for start in range(0, len(milliseconds), size)]
    return {
        "seconds": _short(np.cumsum([group.sum() for group in groups]) / 1000),
        "p50": _short(np.array([np.median(group) for group in groups])),
        "max": _short(np.array([group.max() for group in groups])),
    }


def slice_rates(course: Course) -> list[float]:
    """Frames per second of each slice."""
    return [1000 * len(laps) / sum(lap.total for lap in laps) for laps in course.slices]


def ratio(course: Course, reference: Course) -> dict[str, float] | None:
    """How many times as fast, slice against the slice measured next to it: ``median``, ``min`` and ``max``."""
    pairs = zip(slice_rates(course), slice_rates(reference), strict=False)
    ratios = [mine / its for mine, its in pairs]
    return {"median": median(ratios), "min": min(ratios), "max": max(ratios)} if ratios else None


def median_split(laps: Sequence[Lap]) -> dict[str, float | None]:
    """The median of each stage; None for one that was never measured."""

    def middle(stage: str) -> float | None:
        values = [value for lap in laps if (value := lap.split[stage]) is not None]
        return median(values) if values else None

    return {stage: middle(stage) for stage in laps[0].split}


def _short(values: np.ndarray) -> list[float]:
    """As JSON, without digits that mean nothing."""
    return [float(f"{value:.6g}") for value in values]


def _jitter(course: Course) -> float:
    steps = [abs(after.total - before.total) for laps in course.slices for before, after in pairwise(laps)]
    return sum(steps) / len(steps) if steps else 0.0


def _warm_up(lap: Callable[[], Lap], effort: Effort, clock: Clock) -> bool:
    """Run until two windows in a row have the same median; caches fill and clocks rise meanwhile."""
    start = clock()
    window = min(_WINDOW_SECONDS, effort.seconds)
    previous = None
    while clock() - start < effort.warm_up:
        laps: list[Lap] = []
        _collect(lap, laps, window, _WINDOW_LAPS, clock)
        current = median(one.total for one in laps)
        if previous is not None and abs(current - previous) <= _STEADY * previous:
            return True
        previous = current
    return False


def _slice(lap: Callable[[], Lap], course: Course, effort: Effort, clock: Clock) -> None:
    """One turn of one thing; what it measured stays, even where the source is lost in the middle."""
    for _ in range(_SETTLING_LAPS):
        lap()
    laps: list[Lap] = []
    try:
        _collect(lap, laps, effort.seconds / effort.slices, -(-effort.count // effort.slices), clock)
    finally:
        if laps:
            course.slices.append(laps)


def _collect(lap: Callable[[], Lap], laps: list[Lap], seconds: float, count: int, clock: Clock) -> None:
    """Add laps until both ``seconds`` have passed and ``count`` are done."""
    start = clock()
    while len(laps) < count or clock() - start < seconds:
        laps.append(lap())
