"""What the machine went through while it was measured, and whether its figures can be had again."""

from collections.abc import Mapping, Sequence
from typing import Any

from panoedge.report import text
from panoedge.report.blocks import Block, Cell, Chart, Charts, Column, Line, Phase, Table, Terms
from panoedge.report.compare import Model, Report, date_of, runs
from panoedge.report.schema import KINDS
from panoedge.report.tables import device_label

# Quantities in one chart, as many as stay apart for the eye; the largest are drawn.
_MOST = 6
# Quantities that are fractions are shown as per cent.
_SCALES = {"load": 100.0}


def machine(report: Report) -> list[Block]:
    """The runs in a table, what speaks against each with its cure, and what was sampled meanwhile."""
    found = runs(report)
    if not found:
        return []
    faults = Terms([pair for run, models in found for pair in _faults(run, models, len(found) > 1)])
    charts = [_charts(run, f"{_names(models)}, {_where(report, models)}") for run, models in found]
    return [_table(report, found), *([faults] if faults.pairs else []), *(each for each in charts if each.panels)]


def _table(report: Report, found: Sequence[tuple[Mapping[str, Any], list[Model]]]) -> Table:
    heads = ["Mean power W", "Energy J", "Hottest °C", "Host memory"]
    on_device = any(run.get("device_memory") for run, _ in found)
    columns = [Column("Measured together", numeric=False), Column("Figures", numeric=False)]
    columns += [Column("Throttled", numeric=False), *map(Column, heads)]
    columns += [Column("GPU memory")] if on_device else []
    rows = []
    for run, models in found:
        sampler, power = run["sampler"], run["sampler"].get("total_power") or {}
        sure = sampler["certified"]
        hottest = max((zone["max"] for zone in sampler.get("temperature", {}).values()), default=None)
        lost = f"ended early: {run['lost']}" if run.get("lost") else ""
        rows.append(
            [
                Cell(_names(models), _where(report, models)),
                Cell("certified" if sure else "not certified", lost, "gain" if sure else "clear"),
                Cell(_throttled(run)),
                Cell(text.three_digits(power.get("watts")), ", ".join(power.get("of", []))),
                Cell(text.three_digits(power.get("joules"))),
                Cell(text.three_digits(hottest)),
                Cell(text.quantity(run["host_memory"], "B")),
                *([Cell(text.quantity(run.get("device_memory"), "B"))] if on_device else []),
            ]
        )
    return Table(columns, rows)


def _throttled(run: Mapping[str, Any]) -> str:
    """Since when the machine slowed itself down, and by what; or no, unless it has no signs by which to tell."""
    sampler = run["sampler"]
    if event := sampler.get("throttled"):
        return f"from {text.three_digits(event['at'])}{text.NARROW}s on: {', '.join(event['by'])}"
    return text.NONE if sampler.get("alarms") == 0 else "no"


def _faults(run: Mapping[str, Any], models: Sequence[Model], several: bool) -> list[tuple[str, str]]:
    """Why figures are not certified, and what helps."""
    whose = f" ({_names(models)})" if several else ""
    return [(f"Not certified{whose}", f"{each['fault']}. Cure: {each['cure']}") for each in run["sampler"]["faults"]]


def _charts(run: Mapping[str, Any], title: str) -> Charts:
    """Everything that was sampled over time, a chart a kind."""
    sampler = run["sampler"]
    phases = [Phase(phase["name"], phase["from"], phase["to"]) for phase in run["phases"]]
    event = (sampler["throttled"]["at"], "throttled") if sampler.get("throttled") else None
    panels = [
        Chart(f"{kind.capitalize()}, {unit}", "seconds", lines, phases, event, legend=True)
        for kind, unit in KINDS.items()
        if (lines := _lines(sampler, kind))
    ]
    left_out = [
        f"Of {len(known)} quantities of {kind} the {_MOST} largest are shown."
        for kind in KINDS
        if len(known := sampler.get(kind, {})) > _MOST
    ]
    return Charts(title, [], panels, " ".join(left_out))


def _lines(sampler: Mapping[str, Any], kind: str) -> list[Line]:
    """The quantities of one kind, the largest first."""
    if not sampler.get("times"):
        return []
    scale = _SCALES.get(kind, 1.0)
    largest = sorted(sampler.get(kind, {}).items(), key=lambda item: -item[1]["mean"])[:_MOST]
    lines = []
    for number, (name, quantity) in enumerate(largest, 1):
        course = [None if value is None else scale * value for value in quantity["series"]]
        mean, peak = (text.three_digits(scale * quantity[key]) for key in ("mean", "max"))
        lines.append(Line(number, name, sampler["times"], course, note=f"mean {mean}, at most {peak}"))
    return lines


def _names(models: Sequence[Model]) -> str:
    return text.listing([model["name"] for model in models])


def _where(report: Report, models: Sequence[Model]) -> str:
    labels = dict.fromkeys(device_label(report, model) for model in models)
    return f"{' and '.join(labels)}, {date_of(report, models[0])}"
