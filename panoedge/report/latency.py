"""How long frames took: how often which time was seen, and how times went while they were measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from panoedge.report.blocks import Chart, Charts, Line
from panoedge.report.compare import Model, Report, rate_of
from panoedge.report.schema import RATES

# Shown of a histogram beyond p99: that there is a tail. How long it is says the table.
_BEYOND = 1.1
_FAR = 3
_HISTOGRAMS = "Of the slowest 1 in 100 only the beginning is drawn; the table has the longest."
_TIMELINES = (
    "Successive frames in groups: the strong line is the median of each, the pale one its longest. Seconds are those "
    "measured, without warming up and without the turns of others."
)


def latency(report: Report) -> list[Charts]:
    """Histograms and timelines of every rate, those that were recorded."""
    histograms = _panels(report, RATES, _histogram, "% of frames per ms", "ms")
    timelines = _panels(report, RATES, _timeline, "ms a frame", "seconds measured")
    charts = (
        Charts("How often a frame took how long", _legend(report, histograms), histograms, _HISTOGRAMS),
        Charts("How times went", _legend(report, timelines), timelines, _TIMELINES),
    )
    return [each for each in charts if each.panels]


def ages(report: Report) -> list[Charts]:
    """The histogram of how old results were beside a camera, where that was tried, and when they were due."""
    panels = _panels(report, ["paced"], _histogram, "% of results per ms", "ms")
    if not panels:
        return []
    due = _deadline(report, [x for panel in panels for line in panel.lines for x in line.x])
    panels = [replace(panel, event=due) for panel in panels]
    return [Charts("How old a result was", _legend(report, panels), panels)]


def _deadline(report: Report, ages: Sequence[float]) -> tuple[float, str] | None:
    """What all models were given, unless it is so far off that drawing it would press the ages together."""
    known = {timed["deadline"] for model in report["models"] if (timed := rate_of(model, "paced"))}
    return (min(known), "deadline") if len(known) == 1 and max(known) <= _FAR * max(ages) else None


def _panels(
    report: Report, rates: Sequence[str], lines: Callable[[int, Model, str], Sequence[Line]], unit: str, x_label: str
) -> list[Chart]:
    """One chart a rate, with the lines of all models; pale ones lie below."""
    panels = []
    for rate in rates:
        drawn = [line for number, model in enumerate(report["models"], 1) for line in lines(number, model, rate)]
        drawn.sort(key=lambda line: line.look != "faint")
        if drawn:
            panels.append(Chart(f"{rate}, {unit}", x_label, drawn))
    return panels


def _legend(report: Report, panels: Sequence[Chart]) -> list[tuple[int, str]]:
    shown = {line.mark for panel in panels for line in panel.lines}
    return [(number, model["name"]) for number, model in enumerate(report["models"], 1) if number in shown]


def _histogram(number: int, model: Model, rate: str) -> Sequence[Line]:
    timed = rate_of(model, rate) or {}
    counted = timed.get("histogram")
    if not counted:
        return []
    x, y = density(counted, _BEYOND * (timed.get("ms") or timed["age"])["p99"])
    return [Line(number, model["name"], x, y, "area")] if x else []


def _timeline(number: int, model: Model, rate: str) -> Sequence[Line]:
    course = (rate_of(model, rate) or {}).get("timeline")
    if not course:
        return []
    name = model["name"]
    return [
        Line(number, f"{name}, longest", course["seconds"], course["max"], "faint"),
        Line(number, name, course["seconds"], course["p50"]),
    ]


def density(histogram: Mapping[str, Sequence[Any]], longest: float) -> tuple[list[float], list[float]]:
    """Corners of a histogram's outline, up to times of ``longest`` ms: per cent of the frames a millisecond, so that
    histograms of different bins can be laid over each other."""
    total = sum(histogram["count"])
    x: list[float] = []
    y: list[float] = []
    for (low, high), count in zip(pairwise(histogram["ms"]), histogram["count"], strict=True):
        if low < min(high, longest):
            height = 100 * count / total / (high - low) if total else 0.0
            x += [low, min(high, longest)]
            y += [height, height]
    return x, y
