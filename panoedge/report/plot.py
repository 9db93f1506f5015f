"""Plots as SVG text. Colours come from the page's style sheet, so that they follow its light and dark scheme."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from panoedge.report.blocks import Plot, Point
from panoedge.report.text import quantity, three_digits

COLOURS = 8  # that the style sheet has for models and for parts of bars; then they begin again
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 16, 14, 40
_LARGEST_RADIUS, _SMALLEST_RADIUS = 20.0, 3.0
# Percentage points on the accuracy axis: zooming in further would blow chance up to a difference one can see.
_LEAST_SPAN = 4.0
_MARK_WIDTH, _MARK_HEIGHT = 11.0, 13.0


@dataclass(frozen=True)
class Axes:
    """From values to places in a drawing, which counts from the top left; the axes reach from first to last tick."""

    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    width: int = 360
    height: int = 270

    @property
    def left(self) -> int:
        """Where the x axis begins."""
        return _LEFT

    @property
    def right(self) -> int:
        """Where it ends."""
        return self.width - _RIGHT

    @property
    def top(self) -> int:
        """Where the y axis ends."""
        return _TOP

    @property
    def bottom(self) -> int:
        """Where it begins."""
        return self.height - _BOTTOM

    def x(self, value: float) -> float:
        """Place of a value on the x axis."""
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        """Place of a value on the y axis."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)

    def draw(self, label: str, x_label: str, content: Iterable[str]) -> str:
        """A whole drawing: grid, numbers at the axes, ``content`` on top of them; ``label`` describes it."""
        return "".join(
            [
                f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(label)}">',
                *self._grid(),
                f'<text x="{(self.left + self.right) / 2}" y="{self.height - 6}" text-anchor="middle">',
                f"{escape(x_label)}</text>",
                *content,
                "</svg>",
            ]
        )

    def _grid(self) -> list[str]:
        parts = []
        for value in self.y_ticks:
            y = self.y(value)
            parts.append(f'<line x1="{self.left}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{self.left - 7}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for value in self.x_ticks:
            x = self.x(value)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.bottom}" y2="{self.bottom + 4}"/>')
            parts.append(f'<text x="{x:.1f}" y="{self.bottom + 17}" text-anchor="middle">{value:g}</text>')
        return parts


def bubbles(plot: Plot) -> str:
    """One panel as SVG: every model a bubble at its cost and accuracy, numbered as in the tables."""
    x_ticks = ticks(*apart(0, 1.05 * max(point.x for point in plot.points)))
    axes = Axes(x_ticks, ticks(*_span([point.y for point in plot.points])))
    label = f"{plot.title} against {plot.x_label}"
    return axes.draw(label, plot.x_label, [*_circles(axes, plot), *_marks(axes, plot.points)])


def stacked_bar(shares: Sequence[float]) -> str:
    """A bar of parts whose lengths lie between 0 and 1 together."""
    parts, start = [], 0.0
    for number, share in enumerate(shares, 1):
        if share > 0:
            place = f'x="{200 * start:.2f}" width="{200 * share:.2f}"'
            parts.append(f'<rect class="s{colour(number)}" {place} height="12"/>')
        start += share
    return f'<svg class="bar" viewBox="0 0 200 12" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'


def apart(low: float, high: float) -> tuple[float, float]:
    """Both ends of an axis, or others where there is next to nothing between them."""
    size = max(1.0, abs(low))
    return (low, high) if high - low > 1e-6 * size else (low, low + size)


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers, 2 to ``most``, at steps of 1, 2 or 5 times a power of ten, that enclose ``low`` < ``high``."""
    exponent = math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * 10.0**exponent
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            break
    # Dividing by a whole number keeps 0.3 from becoming 0.30000000000000004.
    scale = 10.0**-exponent
    return [index * factor / scale for index in range(first, last + 1)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The part of the axis of per cent to show: all values with some air."""
    middle = (min(values) + max(values)) / 2
    half = max(_LEAST_SPAN, 1.2 * (max(values) - min(values))) / 2
    return max(0.0, middle - half), min(100.0, middle + half)


def _circles(axes: Axes, plot: Plot) -> list[str]:
    """Large bubbles first, so that small ones lie on top; pointing at one names it."""
    parts = []
    for point in sorted(plot.points, key=lambda point: -(point.size or 0)):
        known = f"{plot.title} {point.y:.1f}, {three_digits(point.x)} {plot.x_label}, {quantity(point.size)} parameters"
        parts.append(
            f'<circle class="m{colour(point.mark)}" cx="{axes.x(point.x):.1f}" cy="{axes.y(point.y):.1f}"'
            f' r="{_radius(point, plot.points):.1f}"><title>{escape(point.name)}: {escape(known)}</title></circle>'
        )
    return parts


def _radius(point: Point, points: Sequence[Point]) -> float:
    largest = max(other.size or 0 for other in points)
    share = (point.size or 0) / largest if largest else 0.0
    return max(_SMALLEST_RADIUS, _LARGEST_RADIUS * math.sqrt(share))


def _marks(axes: Axes, points: Sequence[Point]) -> list[str]:
    """The numbers of the models, each in its bubble or, where another number is, at the nearest free place outside."""
    placed: list[tuple[float, float]] = []
    parts = []
    for point in points:
        places = _places(axes.x(point.x), axes.y(point.y), _radius(point, points))
        x, y = next(place for place in places if _free(place, placed))
        placed.append((x, y))
        parts.append(
            f'<text class="m{colour(point.mark)}" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{point.mark}</text>'
        )
    return parts


def _places(x: float, y: float, radius: float) -> Iterator[tuple[float, float]]:
    """The middle of a bubble, then its surroundings in ever wider rings."""
    yield x, y
    while True:
        radius += _MARK_WIDTH
        for step in range(12):
            angle = step * math.pi / 6
            yield x + radius * math.cos(angle), y + radius * math.sin(angle)


def _free(place: tuple[float, float], placed: Sequence[tuple[float, float]]) -> bool:
    return all(abs(place[0] - x) >= _MARK_WIDTH or abs(place[1] - y) >= _MARK_HEIGHT for x, y in placed)


def colour(mark: int) -> int:
    """Which of the style sheet's colours a model or a part of a bar has, from 1."""
    return (mark - 1) % COLOURS + 1
