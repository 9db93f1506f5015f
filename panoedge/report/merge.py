"""Several reports made one, so that runs of different files, days and boards stand in one table."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from panoedge.report.checks import moment
from panoedge.report.compare import written
from panoedge.report.schema import SCHEMA, created_of, device_of, run_of


def merge(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put the models of all ``reports`` (checked, at least one) into one, in the order given.

    The very first model is what the others are compared with. A model that two reports agree on to the last field is
    taken once; different runs under one name are told apart by what they differ in. The result is dated like the
    newest of its parts; models of another date keep theirs. Overlays are left out: their file names mean something
    beside their own report only.
    """
    created = max((report["created"] for report in reports), key=moment)
    device = reports[0]["device"]
    models: list[dict[str, Any]] = []
    for report in reports:
        for model in report["models"]:
            measured = _with_circumstances(report, model, device, created)
            if not any(_figures(measured) == _figures(other) for other in models):
                models.append(measured)
    merged = {
        "schema": SCHEMA,
        "created": created,
        "title": _title(reports, models),
        "device": device,
        "models": models,
    }
    _tell_namesakes_apart(merged)
    return merged


def _with_circumstances(
    report: Mapping[str, Any], model: Mapping[str, Any], device: Mapping[str, Any], created: str
) -> dict[str, Any]:
    own = {key: value for key, value in model.items() if key not in ("created", "device", "run")}
    if created_of(report, model) != created:
        own["created"] = created_of(report, model)
    if device_of(report, model) != device:
        own["device"] = device_of(report, model)
    if run := run_of(report, model):
        own["run"] = run
    return own


def _figures(model: Mapping[str, Any]) -> dict[str, Any]:
    """All of a record but its date: two reports may hold one measurement."""
    return {key: value for key, value in model.items() if key != "created"}


def _tell_namesakes_apart(report: Mapping[str, Any]) -> None:
    """Add to the names of different runs what they differ in, as ``student (Jetson Orin NX)``; else a number."""
    models = report["models"]
    for name in dict.fromkeys(model["name"] for model in models):
        namesakes = [model for model in models if model["name"] == name]
        if len(namesakes) > 1 and (labels := _labels(report, namesakes)):
            for model, label in zip(namesakes, labels, strict=True):
                model["name"] = f"{name} ({label})"
    _number_namesakes(models)


def _labels(report: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """One label a model, all different, of as few facts as will do; None where these do not tell the models apart."""
    facts = [
        [str(device_of(report, model).get("name")) for model in models],
        [" ".join([model["kind"], model["precision"] or ""]).strip() for model in models],
        [written(created_of(report, model)) for model in models],
    ]
    for count in range(1, len(facts) + 1):
        for chosen in combinations(facts, count):
            labels = [", ".join(label) for label in zip(*chosen, strict=True)]
            if len({*labels}) == len(models):
                return labels
    return None


def _number_namesakes(models: list[dict[str, Any]]) -> None:
    taken: set[str] = set()
    for model in models:
        name, number = model["name"], 1
        while model["name"] in taken:
            number += 1
            model["name"] = f"{name} ({number})"
        taken.add(model["name"])


def _title(reports: Sequence[Mapping[str, Any]], models: Sequence[Mapping[str, Any]]) -> str:
    if len({report["title"] for report in reports}) == 1:
        return reports[0]["title"]
    return f"Comparison of {len(models)} models"
