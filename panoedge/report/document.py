"""A report as a page: which tables, plots and pictures stand where."""

from collections.abc import Callable, Sequence

from panoedge.report import speeds, tables
from panoedge.report.blocks import Block, Document, Gallery, Plot, Plots, Point, Section, Table
from panoedge.report.compare import (
    DRIVABLE_MIOU,
    LANE_IOU,
    MAP50,
    Measure,
    Model,
    Report,
    circumstances,
    rate_of,
    written,
)
from panoedge.report.history import histories
from panoedge.report.latency import ages, latency
from panoedge.report.machine import machine
from panoedge.report.method import method, rates
from panoedge.report.overlay import Picture
from panoedge.report.schema import device_of
from panoedge.report.verdict import verdict

_PLOTTED = (MAP50, DRIVABLE_MIOU, LANE_IOU)


def document(report: Report, scenes: Sequence[tuple[str, Sequence[Picture]]]) -> Document:
    """Lay out a checked report; ``scenes`` are the encoded overlays by title."""
    sections = [
        Section("Accuracy by task", [tables.accuracy(report), tables.accuracy_notes(report)]),
        Section("Size", [tables.sizes(report)]),
        Section("Speed", [speeds.speeds(report), rates(report), *latency(report)]),
        Section("Where the time of a frame goes", _known(speeds.split(report))),
        Section("Which part of a network takes how long", _known(speeds.rooms(report))),
        Section("Beside a camera", [*_known(speeds.paced(report)), *ages(report)]),
        Section("Accuracy against cost", _plots(report)),
        Section("What they see", [Gallery(title, pictures) for title, pictures in scenes], folded=True),
        Section("The machine meanwhile", machine(report)),
        Section("Device and versions", [tables.device(report), tables.device_notes(report)], folded=True),
        Section("How the models came about", histories(report), folded=True),
        Section("How it was measured", [method(report)], folded=True),
    ]
    shown = [section for section in sections if section.blocks]
    return Document(report["title"], written(report["created"]), verdict(report), shown)


def _known(table: Table | None) -> list[Block]:
    return [table] if table else []


def _plots(report: Report) -> list[Block]:
    """Accuracy against multiply-accumulates, and against the time of a frame on the last model's device."""
    last = report["models"][-1]

    def gmacs(model: Model) -> float | None:
        return model["macs"] / 1e9 if model["macs"] else None

    def milliseconds(model: Model) -> float | None:
        timed = rate_of(model, "frame")
        return timed["ms"]["p50"] if timed and device_of(report, model) == device_of(report, last) else None

    costs = (("GMACs", gmacs), (f"median ms per frame, {tables.device_label(report, last)}", milliseconds))
    panels = [_panel(report, measure, label, cost) for label, cost in costs for measure in _PLOTTED]
    panels = [panel for panel in panels if len(panel.points) > 1]
    if not panels:
        return []
    legend = sorted({(point.mark, point.name) for panel in panels for point in panel.points})
    note = "Areas of bubbles are proportional to parameters. The axis of accuracy does not begin at zero."
    return [Plots(legend, panels, note)]


def _panel(report: Report, measure: Measure, x_label: str, cost: Callable[[Model], float | None]) -> Plot:
    """Only models of the same frames and protocol share a plot: those of the first that was evaluated."""
    shared = next(filter(None, map(circumstances, report["models"])), None)
    points = []
    for number, model in enumerate(report["models"], 1):
        x, y = cost(model), measure.of(model)
        if x is not None and y is not None and circumstances(model) == shared:
            points.append(Point(number, model["name"], x, 100 * y, model["parameters"]))
    return Plot(f"{measure.label} %", x_label, points)
