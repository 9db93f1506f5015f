"""Measurements over time in bounded memory: sums are exact, the course is thinned out as it grows."""

import math
from collections.abc import Sequence
from typing import Any

_DIGITS = 4


class Series:
    """Rows of readings, one column a quantity.

    Means and bounds are those of all rows. Of the rows themselves every second is dropped, and every second of those
    to come not kept, each time twice ``points`` have gathered; so they stay evenly spaced.

    Args:
        columns: quantities in a row.
        points: rows that are kept at least, once there were so many.
    """

    def __init__(self, columns: int, points: int):
        self.times: list[float] = []
        self.seen = 0
        self._rows: list[Sequence[float | None]] = []
        self._points = points
        self._every = 1
        self._sums = [0.0] * columns
        self._counts = [0] * columns
        self._bounds = [(math.inf, -math.inf)] * columns

    def add(self, time: float, row: Sequence[float | None]) -> None:
        """Take one row of readings; None where there was none."""
        for column, value in enumerate(row):
            if value is not None:
                self._sums[column] += value
                self._counts[column] += 1
                least, most = self._bounds[column]
                self._bounds[column] = (min(least, value), max(most, value))
        if self.seen % self._every == 0:
            self.times.append(time)
            self._rows.append(row)
            if len(self._rows) == 2 * self._points:
                del self.times[1::2], self._rows[1::2]
                self._every *= 2
        self.seen += 1

    def column(self, index: int) -> list[float | None]:
        """The kept readings of one quantity, as many as there are ``times``."""
        return [row[index] for row in self._rows]

    def mean(self, index: int) -> float | None:
        """Of all readings of one quantity; None where there was none."""
        return self._sums[index] / self._counts[index] if self._counts[index] else None

    def summary(self, index: int) -> dict[str, Any] | None:
        """Mean, bounds and course of one quantity, rounded for people and JSON; None where it was never read."""
        mean = self.mean(index)
        if mean is None:
            return None
        least, most = self._bounds[index]
        course = [None if value is None else _rounded(value) for value in self.column(index)]
        return {"mean": _rounded(mean), "min": _rounded(least), "max": _rounded(most), "series": course}


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
