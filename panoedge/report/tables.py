"""The tables of a report, as data."""

from collections.abc import Mapping, Sequence
from typing import Any

from panoedge.report import text
from panoedge.report.blocks import Cell, Column, Notes, Table
from panoedge.report.compare import (
    MEASURES,
    Measure,
    Model,
    Report,
    circumstances,
    devices,
    ratio,
)
from panoedge.report.schema import device_of
from perception.spec import InputSpec

# Percentage points lost, from where on a loss is shaded, and gained likewise. The first is within what a change of
# a few labels does, the last is more than anybody deploys unawares.
_SLIGHT, _CLEAR, _HEAVY = 0.5, 1.0, 3.0
_FEW_FRAMES = 1000

MODEL = Column("Model", numeric=False)
# In the place of what was not measured.
UNKNOWN = Cell(text.NONE)
_SIZES = {"parameters": "", "macs": "", "bytes": "B"}


def accuracy(report: Report) -> Table:
    """Accuracy by task, each with its difference to the first model."""
    reference, *_ = report["models"]
    apart = len(_circumstances(report)) > 1
    columns = [MODEL, *(Column(f"{measure.label} %") for measure in MEASURES)]
    rows = [[name(report, model), *(_accuracy(m, model, reference) for m in MEASURES)] for model in report["models"]]
    if apart:
        columns.append(Column("Measured on", numeric=False))
        for row, model in zip(rows, report["models"], strict=True):
            row.append(Cell(_measured_on(circumstances(model))))
    return Table(columns, rows)


def accuracy_notes(report: Report) -> Notes:
    """What the accuracy table compares, and how far its differences can be trusted."""
    known = _circumstances(report)
    if not known:
        return Notes(["No model was evaluated: there was no labelled data."])
    lines = []
    if len(report["models"]) > 1:
        lines.append(
            f"Below each figure: percentage points against {report['models'][0]['name']}. Shaded from "
            f"{_SLIGHT:g}, {_CLEAR:g} and {_HEAVY:g} points of loss on, and from {_SLIGHT:g} points of gain."
        )
    if len(known) == 1:
        lines.append(f"All measured on {_measured_on(known[0])}.")
    else:
        lines.append("Figures of different data or protocols are neither subtracted nor plotted together.")
    for model in report["models"]:
        if drop := model.get("drop"):
            lost = drop["points"].items()
            changes = (f"{figure.replace('_', ' ')} {text.points(-points / 100)}" for figure, points in lost)
            lines.append(f"{model['name']} against {text.base_name(drop['reference'])}: {', '.join(changes)} points.")
    if (fewest := min(model["metrics"]["frames"] for model in report["models"] if model["metrics"])) < _FEW_FRAMES:
        lines.append(f"{fewest} frames are few: differences of a few points can be chance; judge on thousands.")
    return Notes(lines)


def sizes(report: Report) -> Table:
    """Parameters, multiply-accumulates and bytes, each with its change against the first model, and which file."""
    reference, *_ = report["models"]
    loaded = any(model.get("memory") for model in report["models"])
    rows = []
    for model in report["models"]:
        spec = InputSpec.from_json(model["input"])
        changes = ["" if model is reference else text.change(ratio(model, reference, k)) for k in _SIZES]
        values = [text.quantity(model[key], unit) for key, unit in _SIZES.items()]
        rows.append(
            [
                name(report, model),
                Cell(model["network"] or text.NONE),
                Cell(" ".join([model["kind"], model["precision"] or ""]).strip()),
                Cell(f"{spec.size[0]}×{spec.size[1]}", spec.resize),
                *(Cell(value, change) for value, change in zip(values, changes, strict=True)),
                *([_memory(model)] if loaded else []),
                Cell(text.base_name(model["file"]), model["sha256"][:12]),
            ]
        )
    numeric = ["Parameters", "MACs", "File size", *(["GPU memory"] if loaded else [])]
    heads = ["Network", "Kind", "Input H×W", *numeric, "File, SHA-256"]
    return Table([MODEL, *(Column(head, head in numeric) for head in heads)], rows)


def device(report: Report) -> Table:
    """Where the models were measured, one column a device."""
    found = devices(report)
    keys = list(dict.fromkeys(key for entry in found for key in entry))
    heads = _labels(found) if len(found) > 1 else ["Value"]
    rows = [[Cell(key.replace("_", " ")), *(Cell(_plain(entry.get(key))) for entry in found)] for key in keys]
    return Table([Column("Device", numeric=False), *(Column(head, numeric=False) for head in heads)], rows)


def device_notes(report: Report) -> Notes:
    """Which model was measured where, if that needs saying."""
    found = devices(report)
    if len(found) == 1:
        return Notes([])
    models = ([model["name"] for model in report["models"] if device_of(report, model) == entry] for entry in found)
    return Notes([f"{label}: {text.listing(names)}." for label, names in zip(_labels(found), models, strict=True)])


def device_label(report: Report, model: Model) -> str:
    """What to call the device of a model; devices that share a name but not all circumstances are numbered."""
    found = devices(report)
    return _labels(found)[found.index(device_of(report, model))]


def mark(report: Report, model: Model) -> int:
    """The number that stands for this model in plots, from 1."""
    return next(number for number, other in enumerate(report["models"], 1) if other is model)


def name(report: Report, model: Model) -> Cell:
    """The first cell of a model's row."""
    return Cell(model["name"], mark=mark(report, model))


def _memory(model: Model) -> Cell:
    """What the engine took when it was loaded, and how much of that is for activations."""
    taken = model.get("memory")
    if not taken:
        return UNKNOWN
    notes = [
        f"{text.quantity(taken['activations'], 'B')} activations",
        *(["shared with host"] if taken["shared"] else []),
    ]
    return Cell(text.quantity(taken["loaded"], "B"), "\n".join(notes))


def _accuracy(measure: Measure, model: Model, reference: Model) -> Cell:
    difference = None if model is reference else measure.difference(model, reference)
    shown = text.percent(measure.of(model))
    return Cell(shown) if difference is None else Cell(shown, text.points(difference), tone(difference))


def tone(difference: float) -> str:
    """How a difference of accuracies, a fraction, is shaded."""
    gained = round(100 * difference, 1)
    if gained >= _SLIGHT:
        return "gain"
    steps = ((_HEAVY, "heavy"), (_CLEAR, "clear"), (_SLIGHT, "slight"))
    return next((name for limit, name in steps if -gained >= limit), "")


def _circumstances(report: Report) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(known for known in map(circumstances, report["models"]) if known))


def _measured_on(known: tuple[str, ...] | None) -> str:
    if known is None:
        return text.NONE
    protocol, data, split_name, frames = known
    return f"{frames} frames of {data} ({split_name}), protocol {protocol}"


def _labels(found: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [str(entry.get("name") or "unnamed device") for entry in found]
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _plain(value: Any) -> str:
    if value is None:
        return text.NONE
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
