"""What is asked of a network, and whether it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from perception.errors import MALFORMED, GateFailed, InputError, brief
from perception.evaluation import headline
from perception.fields import number
from perception.files import read_json

# What must agree before two accuracies are compared.
_CIRCUMSTANCES = ("protocol", "split", "frames")


@dataclass(frozen=True)
class Limits:
    """What a user asks for; None asks for nothing.

    Attributes:
        min_fps: frames per second, at least.
        fps_of: the rate that ``min_fps`` is about.
        max_latency_p99: milliseconds that 99 of 100 frames may take from start to end.
        max_drop: percentage points that any accuracy may lie below the reference.
    """

    min_fps: float | None = None
    fps_of: str = "stream"
    max_latency_p99: float | None = None
    max_drop: float | None = None


def read_reference(path: Path) -> dict[str, Any]:
    """The metrics in ``path``: a file that ``evaluate --json`` wrote, or the first model with metrics of a report.

    Raises:
        InputError: there are none.
    """
    content = read_json(path)
    models = content.get("models") if isinstance(content, dict) else None
    known = [model.get("metrics") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    for metrics in (content, *known):
        if isinstance(metrics, dict) and set(_CIRCUMSTANCES) <= set(metrics) and isinstance(metrics.get("data"), str):
            return metrics
    raise InputError(f"{path}: holds no metrics; give a report.json or what evaluate --json writes")


def drops(metrics: Mapping[str, Any], reference: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Percentage points that each headline figure lies below the reference; negative where it lies above.

    Args:
        metrics: of the network.
        reference: of :func:`read_reference`.
        path: it was read from.

    Raises:
        InputError: the two were not measured on the same frames by the same rules, or have no figure in common.
    """
    mine, its = (
        {**{key: record[key] for key in _CIRCUMSTANCES}, "data": PurePath(record["data"]).name}
        for record in (metrics, reference)
    )
    if unlike := [f"{key} {brief(its[key])}, not {mine[key]}" for key in mine if mine[key] != its[key]]:
        raise InputError(f"{path}: was measured with {', '.join(unlike)}; evaluate the reference alike")
    try:
        figures = headline(dict(reference))
        found = {name: 100 * (number(figures[name]) - value) for name, value in headline(dict(metrics)).items()}
    except MALFORMED:
        raise InputError(f"{path}: lacks figures of the network's tasks; evaluate the reference anew") from None
    return found


def judge(model: Mapping[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """Hold one model record to ``limits``.

    Returns:
        One record for each limit that was asked for: ``gate`` (the option), ``of`` (the figure), ``unit``, ``limit``,
        ``value`` (None where it was not measured) and ``passed``. A rate that the source did not last for passes
        nothing; such gates are ``cut``.
    """
    speed, gates = model["speed"], []
    if limits.min_fps is not None:
        rate = speed[limits.fps_of]
        gate = _gate("min-fps", limits.fps_of, "FPS", limits.min_fps, rate and rate["fps"], at_least=True)
        gates.append(_uncut(gate, rate))
    if limits.max_latency_p99 is not None:
        rate = speed["frame"]
        gate = _gate("max-latency-p99", "frame p99", "ms", limits.max_latency_p99, rate and rate["ms"]["p99"])
        gates.append(_uncut(gate, rate))
    if limits.max_drop is not None:
        figure, value = max(model["drop"]["points"].items(), key=lambda item: item[1])
        gates.append(_gate("max-drop", f"{figure} below its reference", "points", limits.max_drop, value))
    return gates


def require(gates: list[dict[str, Any]]) -> None:
    """Raise :class:`GateFailed` that says of each gate that did not hold by how much it was missed."""
    if missed := [_missed(gate) for gate in gates if not gate["passed"]]:
        raise GateFailed("; ".join(missed))


def _gate(option: str, of: str, unit: str, limit: float, value: float | None, at_least: bool = False) -> dict[str, Any]:
    passed = value is not None and (value >= limit if at_least else value <= limit)
    return {"gate": option, "of": of, "unit": unit, "limit": limit, "value": value, "passed": passed}


def _uncut(gate: dict[str, Any], rate: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**gate, "passed": False, "cut": True} if rate and rate.get("cut") else gate


def _missed(gate: Mapping[str, Any]) -> str:
    name, unit, limit, value = gate["of"].replace("_", " "), gate["unit"], gate["limit"], gate["value"]
    if value is None:
        return f"{name} was not measured, {limit:g} {unit} asked for"
    if gate.get("cut"):
        return f"{name} {value:.2f} {unit} when the source was lost, {limit:g} asked for: not measured to the end"
    side = "least" if value < limit else "most"
    return f"{name} {value:.2f} {unit}, at {side} {limit:g} asked for: missed by {abs(value - limit):.2f}"
