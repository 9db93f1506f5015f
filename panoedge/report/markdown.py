"""A document as GitHub-flavoured Markdown; pictures are links to the files beside it."""

import re

from panoedge.report.blocks import (
    Block,
    Cell,
    Charts,
    Document,
    Facts,
    Gallery,
    Notes,
    Plots,
    Stages,
    Table,
    Terms,
)
from perception.errors import one_line

# An underscore inside a word means nothing in this dialect and reads better bare.
_SPECIAL = re.compile(r"[\\`*\[\]<>|~#&$]|(?<!\w)_|_(?!\w)")


def render(document: Document) -> str:
    """The whole document, ending in a newline."""
    parts = [f"# {escape(document.title)}", escape(document.date), _block(document.verdict)]
    for section in document.sections:
        blocks = [text for block in section.blocks if (text := _block(block))]
        if not blocks:
            continue
        if section.folded:
            parts += [f"<details><summary>{escape(section.title)}</summary>", *blocks, "</details>"]
        else:
            parts += [f"## {escape(section.title)}", *blocks]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that shows as it is: on one line, with nothing that Markdown or HTML would act on."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", one_line(" ".join(text.split())))


def _block(block: Block) -> str:
    match block:
        case Facts(title, facts):
            lines = [f"- {escape(fact.label)}: **{escape(fact.value)}**{_aside(fact.detail)}" for fact in facts]
            return "\n".join([f"**{escape(title)}**", "", *lines])
        case Table():
            return _table(block)
        case Notes(lines):
            return "\n\n".join(escape(line) for line in lines)
        case Terms(pairs):
            return "\n".join(f"- **{escape(term)}**: {escape(meaning)}" for term, meaning in pairs)
        case Stages():
            return _stages(block)
        case Gallery(title, pictures):
            images = (f"![{escape(picture.label)}]({picture.file})" for picture in pictures)
            labels = ", ".join(escape(picture.label) for picture in pictures)
            return f"**{escape(title)}**: {labels}\n\n{' '.join(images)}"
        case Plots() | Charts():
            return ""
    raise TypeError(f"no Markdown for {type(block).__name__}")


def _table(table: Table) -> str:
    shown = [index for index, column in enumerate(table.columns) if not column.drawn]
    heads = [table.columns[index] for index in shown]
    lines = [[escape(head.label) for head in heads], ["---:" if head.numeric else "---" for head in heads]]
    lines += [[_cell(row[index]) for index in shown] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    return escape(cell.text) + _aside(cell.note)


def _aside(text: str) -> str:
    return f" ({escape(text)})" if text else ""


def _stages(history: Stages) -> str:
    lines = [f"**{escape(history.model)}**" + (f", from {escape(history.after)}" if history.after else "")]
    for number, stage in enumerate(history.stages, 1):
        settings = "; ".join(f"{escape(name)}: {escape(value)}" for name, value in stage.settings)
        lines.append(f"{number}. {escape(stage.title)}" + (f" ({settings})" if settings else ""))
    return "\n".join([lines[0], "", *lines[1:]]).strip()
