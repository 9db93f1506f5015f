"""How every model came about, stage by stage, as the files themselves record it."""

import json
from collections.abc import Mapping
from typing import Any

from panoedge.report.blocks import Stage, Stages
from panoedge.report.compare import Report
from panoedge.report.tables import mark

# Under these keys a stage says what it is; the first one present becomes its heading.
_HEADINGS = ("stage", "command", "name")
_LONGEST = 160


def histories(report: Report) -> list[Stages]:
    """The stages of each model; those it shares with an earlier model are told once, there."""
    told: list[Stages] = []
    models = report["models"]
    for number, model in enumerate(models):
        past = model["history"]
        earlier = [other for other in models[:number] if other["history"] == past[: len(other["history"])] != []]
        longest = max(earlier, key=lambda other: len(other["history"]), default=None)
        new = past[len(longest["history"]) :] if longest else past
        if past:
            after = longest["name"] if longest else ""
            told.append(Stages(model["name"], mark(report, model), after, [stage(entry) for entry in new]))
    return told


def stage(entry: Mapping[str, Any]) -> Stage:
    """One entry of a checkpoint's history, to be shown."""
    heading = next((key for key in _HEADINGS if isinstance(entry.get(key), str) and entry[key].strip()), None)
    rest = {key: value for key, value in entry.items() if key != heading}
    return Stage(str(entry[heading]) if heading else "stage", _flat(rest))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as dotted names; long values are cut here and whole in report.json."""
    pairs: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            pairs += _flat(value, f"{name}.")
            continue
        shown = value if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False)
        pairs.append((name, shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."))
    return pairs


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
