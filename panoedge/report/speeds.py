"""The tables of speed: frame rates, where the time of a frame goes, and how a network keeps up with a camera."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from panoedge.report import text
from panoedge.report.blocks import Cell, Column, Table
from panoedge.report.compare import (
    Model,
    Report,
    apart,
    date_of,
    devices,
    rate_of,
    recorded_ratio,
    speed_ratio,
    speed_reference,
)
from panoedge.report.schema import RATES, STAGES, created_of
from panoedge.report.tables import MODEL, UNKNOWN, device_label, name
from perception.rooms import rank
from runtime.paced import gave_too_few

_PERCENTILES = ("p50", "p90", "p95", "p99", "max")
_HEADS = ("FPS", "Ratio", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "Longest ms", "Jitter ms", "Frames timed")


def speeds(report: Report) -> Table:
    """The three frame rates of every model with the time each frame took."""
    several = len(devices(report)) > 1 or len({created_of(report, model) for model in report["models"]}) > 1
    rows = []
    for model in report["models"]:
        first = replace(name(report, model), note=_where(report, model) if several and model["speed"] else "")
        timed = [_timing(report, model, rate) for rate in RATES] if model["speed"] else [[UNKNOWN] * (1 + len(_HEADS))]
        rows += [[Cell("") if place else first, *cells] for place, cells in enumerate(timed)]
    return Table([MODEL, Column("Rate", numeric=False), *map(Column, _HEADS)], rows)


def split(report: Report) -> Table | None:
    """Where the time of one frame goes, None where no model tells."""
    known = [(model, parts) for model in report["models"] if (parts := (rate_of(model, "frame") or {}).get("split"))]
    return _parts(report, known, STAGES) if known else None


def rooms(report: Report) -> Table | None:
    """Which part of a network takes how long, None where no model was profiled."""
    known = [(model, profile["rooms"]) for model in report["models"] if (profile := model.get("profile"))]
    found = sorted({room for _, parts in known for room in parts}, key=rank)
    return _parts(report, known, found) if known else None


def paced(report: Report) -> Table | None:
    """How the models kept up with a camera, None where that was not tried."""
    known = [(model, run) for model in report["models"] if (run := rate_of(model, "paced"))]
    if not known:
        return None
    heads = ("Camera FPS", "Results FPS", "Dropped", "Too late", *(f"Age {key} ms" for key in _PERCENTILES))
    rows = []
    for model, run in known:
        counts = [Cell(f"{run[key]} of {run['frames']}") for key in ("dropped", "missed")]
        given = f"{text.three_digits(run['offered'])} given" if gave_too_few(run) else ""
        rates = [Cell(f"{run['rate']:g}", given), Cell(text.three_digits(run["fps"]))]
        ages = [Cell(text.three_digits(run["age"].get(key))) for key in _PERCENTILES]
        rows.append([name(report, model), *rates, *counts, *ages])
    return Table([MODEL, *map(Column, heads)], rows)


def _parts(report: Report, known: Sequence[tuple[Model, Mapping[str, float | None]]], parts: Sequence[str]) -> Table:
    """Milliseconds of each part, and all of them as a bar; the bars have one scale."""
    longest = max(sum(times.get(part) or 0.0 for part in parts) for _, times in known) or 1.0
    rows = []
    for model, times in known:
        cells = [Cell(text.three_digits(times.get(part))) for part in parts]
        rows.append([name(report, model), *cells, Cell("", bar=[(times.get(part) or 0) / longest for part in parts])])
    heads = [Column(f"{part.replace('_', ' ')} ms", swatch=number) for number, part in enumerate(parts, 1)]
    return Table([MODEL, *heads, Column("To one scale", numeric=False, drawn=True)], rows)


def _timing(report: Report, model: Model, rate: str) -> list[Cell]:
    timed = rate_of(model, rate)
    if not timed:
        return [Cell(rate), *[UNKNOWN] * len(_HEADS)]
    joule = timed.get("frames_per_joule")
    return [
        Cell(rate, "not steady" if timed.get("steady") is False else ""),
        Cell(text.three_digits(timed["fps"]), f"{text.three_digits(joule)} per joule" if joule else ""),
        _ratio(report, model, rate),
        *(Cell(text.three_digits(timed["ms"].get(key))) for key in _PERCENTILES),
        Cell(text.three_digits(timed.get("jitter"))),
        Cell(f"{timed['count']} in {text.three_digits(timed['seconds'])}{text.NARROW}s"),
    ]


def _ratio(report: Report, model: Model, rate: str) -> Cell:
    """Times as fast, with its range over the slices, and against whom unless that is the first model."""
    reference, recorded = speed_reference(report, model, rate), recorded_ratio(model, rate)
    notes = [f"{recorded['min']:.2f} to {recorded['max']:.2f}"] if recorded else []
    if reference is not None and reference is not model and reference is not report["models"][0]:
        notes.append(f"of {_short(reference['name'], model['name'])}")
    if apart(report, model, rate):
        notes.append("in another run")
    return Cell(text.times(speed_ratio(report, model, rate)), "\n".join(notes))


def _where(report: Report, model: Model) -> str:
    """Device and date, as far as the name does not say them."""
    facts = (device_label(report, model), date_of(report, model))
    return ", ".join(fact for fact in facts if fact not in model["name"])


def _short(name: str, beside: str) -> str:
    """``name`` without the label in parentheses that it shares with the one ``beside`` it."""
    plain, opening, label = name.partition(" (")
    return plain if opening and beside.endswith(opening + label) else name
