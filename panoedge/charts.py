"""Line charts and heat maps as SVG files that stand alone: light background, no page's style sheet, no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from panoedge.report.plot import Axes, ticks

_COLOURS = (
    "#2f6db5", "#bd5416", "#21835a", "#9c3a8b", "#836709", "#0d7f90", "#bb3443", "#6353c4",
    "#5d6672", "#1b1f24", "#d98ba6", "#7fa82f", "#c49a00", "#58a6d6",
)  # fmt: skip
_INK, _SOFT, _LINE = "#1b1f24", "#5d6672", "#dfe3e8"
_PANEL_WIDTH, _PANEL_HEIGHT = 330, 260
_TITLE = 14
_LEGEND_ROW, _LEGEND_COLUMN = 20, 150
_CELL_WIDTH, _CELL_HEIGHT, _HEAD = 62, 20, 58
# From nothing lost to all of the scale.
_COOL, _WARM = (255, 255, 255), (187, 52, 67)


@dataclass(frozen=True)
class Panel:
    """Lines of one panel: points (x, y) by name; lower than ``lowest`` they leave the panel."""

    title: str
    x_label: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    lowest: float = 0.0


def line_chart(panels: Sequence[Panel]) -> str:
    """Panels side by side under one legend; a name has the same colour in all of them."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    width = len(panels) * _PANEL_WIDTH
    columns = max(1, width // _LEGEND_COLUMN)
    legend_height = _LEGEND_ROW * -(-len(names) // columns)
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(names)}
    parts = []
    for number, name in enumerate(names):
        x, y = 12 + number % columns * _LEGEND_COLUMN, 14 + number // columns * _LEGEND_ROW
        parts.append(f'<line x1="{x}" x2="{x + 20}" y1="{y}" y2="{y}" stroke="{colours[name]}" stroke-width="2.5"/>')
        parts.append(_text(x + 26, y + 4, name, "start", _INK))
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _PANEL_WIDTH} {legend_height + 8})">')
        parts += [*_panel(panel, colours, number), "</g>"]
    return _drawing(width, legend_height + 8 + _TITLE + _PANEL_HEIGHT, parts)


def heat_map(
    row_names: Sequence[str], column_names: Sequence[Sequence[str]], values: Sequence[Sequence[float]], scale: float
) -> str:
    """A field a value, the redder the nearer to ``scale``; what is below 0 is white.

    Args:
        row_names: one a row.
        column_names: lines of text over each column.
        values: by row and column, written into the fields.
        scale: value of the strongest colour.
    """
    left = 12 + 7 * max(map(len, row_names))
    parts = []
    for column, lines in enumerate(column_names):
        x = left + (column + 0.5) * _CELL_WIDTH
        parts += [_text(x, 16 + 14 * number, line, "middle", _SOFT) for number, line in enumerate(lines)]
    for row, (name, of_row) in enumerate(zip(row_names, values, strict=True)):
        y = _HEAD + row * _CELL_HEIGHT
        parts.append(_text(left - 6, y + 14, name, "end", _INK))
        for column, value in enumerate(of_row):
            share = min(max(value / scale, 0.0), 1.0)
            x = left + column * _CELL_WIDTH
            parts.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 1}" height="{_CELL_HEIGHT - 1}" fill="{_shade(share)}"/>'
            )
            parts.append(_text(x + _CELL_WIDTH / 2, y + 14, f"{value:.1f}", "middle", "#fff" if share > 0.6 else _INK))
    return _drawing(left + len(column_names) * _CELL_WIDTH + 8, _HEAD + len(row_names) * _CELL_HEIGHT + 8, parts)


def _panel(panel: Panel, colours: Mapping[str, str], number: int) -> list[str]:
    points = [point for line in panel.lines.values() for point in line]
    places, shown = [x for x, _ in points], [y for _, y in points if y >= panel.lowest]
    x_ticks, y_ticks = (ticks(min(values), max(*values, min(values) + 1)) for values in (places, shown))
    axes = Axes(x_ticks, y_ticks, _PANEL_WIDTH, _PANEL_HEIGHT)
    box = f'x="0" y="{axes.top - 4}" width="{_PANEL_WIDTH}" height="{axes.bottom - axes.top + 8}"'
    parts = [f'<clipPath id="panel{number}"><rect {box}/></clipPath><g clip-path="url(#panel{number})">']
    for name, line in panel.lines.items():
        corners = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in sorted(line))
        parts.append(f'<polyline points="{corners}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        for x, y in line:
            title = f"<title>{escape(name)}: {y:.1f} at {x:.1f}</title>"
            parts.append(
                f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3" fill="{colours[name]}">{title}</circle>'
            )
    drawn = axes.draw(f"{panel.title} against {panel.x_label}", panel.x_label, [*parts, "</g>"])
    title = _text(axes.left, 14, panel.title, "start", _INK, bold=True)
    return [title, f'<svg y="{_TITLE}" width="{_PANEL_WIDTH}" height="{_PANEL_HEIGHT}">{drawn}</svg>']


def _shade(share: float) -> str:
    mixed = (round(cool + share * (warm - cool)) for cool, warm in zip(_COOL, _WARM, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _text(x: float, y: float, text: str, anchor: str, colour: str, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'


def _drawing(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="system-ui, sans-serif" font-size="12">\n'
        f"<style>.plot text {{ fill: {_SOFT}; }} .plot line {{ stroke: {_LINE}; }}</style>\n"
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
