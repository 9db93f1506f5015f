"""Charts of lines as SVG text: what was measured over time, and how often which time was seen."""

from collections.abc import Iterator, Sequence
from html import escape

from panoedge.report.blocks import Chart, Line, Phase
from panoedge.report.plot import Axes, apart, colour, ticks

_WIDTH, _HEIGHT = 360, 220
# Of a letter in the drawing's units: a name is written where its phase is as wide.
_LETTER = 6.2
# Air above the highest point, where the names of phases stand.
_AIR = 1.15


def curves(chart: Chart) -> str:
    """One chart; its x axis reaches as far as its lines and its event, its y axis from 0, or below, to a little above
    them."""
    places = [x for line in chart.lines for x in line.x] + ([chart.event[0]] if chart.event else [])
    values = [0.0, *(y for line in chart.lines for y in line.y if y is not None)]
    x_ticks = ticks(*apart(min(places), max(places)))
    axes = Axes(x_ticks, ticks(*apart(min(values), _AIR * max(values))), _WIDTH, _HEIGHT)
    content = [
        *(part for index, phase in enumerate(chart.phases) for part in _phase(axes, phase, index)),
        *(part for line in chart.lines for part in _line(axes, line)),
        *(_event(axes, *chart.event) if chart.event else []),
    ]
    return axes.draw(f"{chart.title} over {chart.x_label}", chart.x_label, content)


def _line(axes: Axes, line: Line) -> Iterator[str]:
    """The line, one path for every stretch without a gap; an area reaches down to 0 besides."""
    for stretch in _stretches(line):
        corners = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in stretch)
        title = f"<title>{escape(line.name)}</title>"
        kind = f"m{colour(line.mark)}"
        if line.look == "area":
            ends = f"M{axes.x(stretch[0][0]):.1f},{axes.bottom} L{corners} L{axes.x(stretch[-1][0]):.1f},{axes.bottom}Z"
            yield f'<path class="area {kind}" d="{ends}">{title}</path>'
        look = "curve faint" if line.look == "faint" else "curve"
        yield f'<path class="{look} {kind}" d="M{corners}">{title}</path>'


def _stretches(line: Line) -> list[list[tuple[float, float]]]:
    stretches: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if y is not None:
            stretches[-1].append((x, y))
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def _phase(axes: Axes, phase: Phase, index: int) -> Sequence[str]:
    """A band behind the lines, every second one shaded, with its name at the top where there is room."""
    start, end = (min(max(axes.x(at), axes.left), axes.right) for at in (phase.start, phase.end))
    title = f"<title>{escape(phase.name)}</title>"
    shade = "band odd" if index % 2 else "band"
    band = f'<rect class="{shade}" x="{start:.1f}" y="{axes.top}" width="{end - start:.1f}"'
    parts = [f'{band} height="{axes.bottom - axes.top}">{title}</rect>']
    if end - start >= _LETTER * len(phase.name):
        middle = (start + end) / 2
        parts.append(f'<text x="{middle:.1f}" y="{axes.top + 11}" text-anchor="middle">{escape(phase.name)}</text>')
    return parts


def _event(axes: Axes, at: float, name: str) -> Sequence[str]:
    """An upright line; its name stands on the side where there is room."""
    x = min(max(axes.x(at), axes.left), axes.right)
    anchor, side = ("end", -5) if x > (axes.left + axes.right) / 2 else ("start", 5)
    return [
        f'<path class="event" d="M{x:.1f},{axes.top} V{axes.bottom}"/>',
        f'<text class="event" x="{x + side:.1f}" y="{axes.bottom - 7}" text-anchor="{anchor}">{escape(name)}</text>',
    ]
