"""The parts of a page as plain data: built once, rendered as Markdown and as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from panoedge.report.overlay import Picture


@dataclass(frozen=True)
class Cell:
    """One field of a table.

    Attributes:
        text: what it says.
        note: a second, smaller saying, such as the difference to the reference; HTML keeps its lines.
        tone: how good or bad that is: ``gain``, ``slight``, ``clear``, ``heavy`` or nothing.
        mark: number of the model that the cell names, as in the plots; 0 for none.
        bar: lengths of the parts of a stacked bar, between 0 and 1 together; only HTML draws it.
    """

    text: str
    note: str = ""
    tone: str = ""
    mark: int = 0
    bar: Sequence[float] = ()


@dataclass(frozen=True)
class Column:
    """Head of a column.

    Attributes:
        label: what it says, unit included.
        numeric: aligned to the right.
        drawn: holds bars, which only HTML draws.
        swatch: which part of those bars the column counts, from 1; 0 for none.
    """

    label: str
    numeric: bool = True
    drawn: bool = False
    swatch: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells, as many as columns; a row whose first cell is empty belongs to the one above."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Fact:
    """One figure of the verdict: ``−32.7 %`` of ``parameters``, in detail ``2.10 M to 1.41 M``."""

    value: str
    label: str
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Facts:
    """The verdict."""

    title: str
    facts: Sequence[Fact]


@dataclass(frozen=True)
class Notes:
    """Remarks below a table, one paragraph each."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """Terms with their explanation."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Stage:
    """One step of a model's past and its settings."""

    title: str
    settings: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Stages:
    """The past of one model, oldest first; ``after`` names the model whose past it continues."""

    model: str
    mark: int
    after: str
    stages: Sequence[Stage]


@dataclass(frozen=True)
class Point:
    """One bubble of a plot; its area is proportional to ``size`` (None where unknown)."""

    mark: int
    name: str
    x: float
    y: float
    size: float | None


@dataclass(frozen=True)
class Plot:
    """One panel: accuracy in per cent against cost."""

    title: str
    x_label: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Plots:
    """Panels in a row with one legend of (mark, name); only HTML draws them, the tables hold the numbers."""

    legend: Sequence[tuple[int, str]]
    panels: Sequence[Plot]
    note: str


@dataclass(frozen=True)
class Line:
    """One line of a chart; it breaks where ``y`` is None.

    Attributes:
        mark: its colour, from 1.
        name: what it is.
        x, y: its corners, equally many.
        look: ``area`` for filled down to 0, ``faint`` for what accompanies another line.
        note: figures for the legend.
    """

    mark: int
    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    look: str = ""
    note: str = ""


@dataclass(frozen=True)
class Phase:
    """A named stretch of the x axis."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Chart:
    """Lines over one axis; the y axis begins at 0, unless there are values below.

    Attributes:
        title: what they show, unit included.
        x_label: unit of the x axis.
        lines: drawn in this order.
        phases: stretches of the x axis that have a name.
        event: a place on the x axis and what happened there.
        legend: whether the lines are named beside the chart.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    phases: Sequence[Phase] = ()
    event: tuple[float, str] | None = None
    legend: bool = False


@dataclass(frozen=True)
class Charts:
    """Charts in a row, below a heading, with one legend of (mark, name) for those that have none of their own; only
    HTML draws them, the tables hold the numbers."""

    title: str
    legend: Sequence[tuple[int, str]]
    panels: Sequence[Chart]
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures of one scene, side by side."""

    title: str
    pictures: Sequence[Picture]


Block = Facts | Table | Notes | Terms | Stages | Plots | Charts | Gallery


@dataclass(frozen=True)
class Section:
    """A headed part of the page; what is ``folded`` is there for those who ask, and Markdown keeps it closed."""

    title: str
    blocks: Sequence[Block]
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """The whole page; the verdict stands before the first section."""

    title: str
    date: str
    verdict: Facts
    sections: Sequence[Section]
