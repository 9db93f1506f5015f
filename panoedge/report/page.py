"""A document as one self-contained HTML page: no script, no request, pictures inside, light, dark and print."""

import base64
from collections.abc import Sequence
from html import escape

from panoedge.report.blocks import (
    Block,
    Cell,
    Chart,
    Charts,
    Column,
    Document,
    Fact,
    Facts,
    Gallery,
    Notes,
    Plots,
    Section,
    Stage,
    Stages,
    Table,
    Terms,
)
from panoedge.report.curves import curves
from panoedge.report.overlay import Picture
from panoedge.report.plot import bubbles, colour, stacked_bar
from panoedge.report.style import STYLE

# The browser itself is told to load nothing: should a name ever slip through unescaped, it stays text without effect.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(document: Document) -> str:
    """The whole page, ending in a newline."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(document.title)}</title>",
            f"<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            f'<header>\n<h1>{escape(document.title)}</h1>\n<p class="date">{escape(document.date)}</p>\n</header>',
            _facts(document.verdict),
            *(_section(section) for section in document.sections),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{blocks}\n</section>"


def _block(block: Block) -> str:
    match block:
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Notes(lines):
            return "\n".join(f'<p class="note">{escape(line)}</p>' for line in lines)
        case Terms(pairs):
            entries = "\n".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in pairs)
            return f'<dl class="terms">\n{entries}\n</dl>'
        case Stages():
            return _stages(block)
        case Plots():
            return _plots(block)
        case Charts():
            return _charts(block)
        case Gallery(title, pictures):
            panels = "\n".join(_picture(picture, title) for picture in pictures)
            return f'<div class="gallery">\n<h3>{escape(title)}</h3>\n<div class="panels">\n{panels}\n</div>\n</div>'
    raise TypeError(f"no HTML for {type(block).__name__}")


def _facts(verdict: Facts) -> str:
    facts = "\n".join(_fact(fact) for fact in verdict.facts)
    return (
        f'<section class="verdict">\n<h2>{escape(verdict.title)}</h2>\n<dl class="facts">\n{facts}\n</dl>\n</section>'
    )


def _fact(fact: Fact) -> str:
    detail = f'<dd class="detail">{escape(fact.detail)}</dd>' if fact.detail else ""
    value = f"<dd{_classes('value', fact.tone)}>{escape(fact.value)}</dd>"
    return f"<div><dt>{escape(fact.label)}</dt>{value}{detail}</div>"


def _table(table: Table) -> str:
    heads = "".join(_head(column) for column in table.columns)
    spans = _spans(table.rows)
    rows = "\n".join(_row(table.columns, row, span) for row, span in zip(table.rows, spans, strict=True))
    return f"""<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""


def _head(column: Column) -> str:
    swatch = f'<span class="swatch s{colour(column.swatch)}"></span>' if column.swatch else ""
    return f'<th scope="col"{_classes(_align(column))}>{swatch}{escape(column.label)}</th>'


def _spans(rows: Sequence[Sequence[Cell]]) -> list[int]:
    """How many rows each row's first cell stands for: 0 where it is empty, since the one above does."""
    spans, below = [], 1
    for first, *_ in reversed(rows):
        spans.append(below if first.text else 0)
        below = 1 if first.text else below + 1
    return spans[::-1]


def _row(columns: Sequence[Column], row: Sequence[Cell], span: int) -> str:
    """A row that goes on with the model above has no rule in between."""
    first, *others = row
    cells = "".join(_cell(cell, column) for cell, column in zip(others, columns[1:], strict=True))
    if not span:
        return f'<tr class="follows">{cells}</tr>'
    rows = f' rowspan="{span}"' if span > 1 else ""
    return f'<tr><th scope="row"{rows}>{_mark(first.mark)}{escape(first.text)}{_aside(first.note)}</th>{cells}</tr>'


def _cell(cell: Cell, column: Column) -> str:
    content = stacked_bar(cell.bar) if cell.bar else escape(cell.text)
    return f"<td{_classes(_align(column), cell.tone)}>{content}{_aside(cell.note)}</td>"


def _aside(note: str) -> str:
    return f'<span class="aside">{escape(note)}</span>' if note else ""


def _stages(history: Stages) -> str:
    after = f", from {escape(history.after)}" if history.after else ""
    heading = f"<h3>{_mark(history.mark)}{escape(history.model)}{after}</h3>"
    stages = "\n".join(_stage(stage) for stage in history.stages)
    return heading + (f'\n<ol class="history">\n{stages}\n</ol>' if stages else "")


def _stage(stage: Stage) -> str:
    settings = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in stage.settings)
    return f"<li><p>{escape(stage.title)}</p>" + (f'<dl class="settings">{settings}</dl>' if settings else "") + "</li>"


def _plots(plots: Plots) -> str:
    panels = "\n".join(
        f"<figure><figcaption>{escape(plot.title)}</figcaption>{bubbles(plot)}</figure>" for plot in plots.panels
    )
    note = f'<p class="note">{escape(plots.note)}</p>'
    return f'{_legend(plots.legend)}\n<div class="plots">\n{panels}\n</div>\n{note}'


def _charts(charts: Charts) -> str:
    panels = "\n".join(_chart(chart) for chart in charts.panels)
    note = f'\n<p class="note">{escape(charts.note)}</p>' if charts.note else ""
    heading = f"<h3>{escape(charts.title)}</h3>"
    return f'{heading}{_legend(charts.legend)}\n<div class="plots">\n{panels}\n</div>{note}'


def _chart(chart: Chart) -> str:
    """A chart whose lines are no models names them itself."""
    names = "".join(
        f'<li><span class="key m{colour(line.mark)}"></span>{escape(line.name)} <span class="note">{escape(line.note)}'
        "</span></li>"
        for line in chart.lines
    )
    legend = f'<ul class="lines">{names}</ul>' if chart.legend else ""
    return f"<figure><figcaption>{escape(chart.title)}</figcaption>{curves(chart)}{legend}</figure>"


def _legend(entries: Sequence[tuple[int, str]]) -> str:
    names = "".join(f"<li>{_mark(mark)}{escape(name)}</li>" for mark, name in entries)
    return f'<ul class="legend">{names}</ul>' if names else ""


def _picture(picture: Picture, title: str) -> str:
    data = base64.b64encode(picture.jpeg).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{picture.width}" height="{picture.height}"'
        f' alt="{escape(title)}: {escape(picture.label)}"><figcaption>{escape(picture.label)}</figcaption></figure>'
    )


def _mark(number: int) -> str:
    return f'<span class="mark m{colour(number)}">{number}</span>' if number else ""


def _align(column: Column) -> str:
    return "number" if column.numeric else ""


def _classes(*names: str) -> str:
    used = " ".join(name for name in names if name)
    return f' class="{used}"' if used else ""
