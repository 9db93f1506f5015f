"""What a ``report.json`` holds, checked field by field before anything relies on it.

Fractions lie in [0, 1], times are milliseconds, sizes bytes. Null stands for "not measured", never for zero. The
top-level ``device`` and ``run`` speak for every model, unless a model carries its own: merging runs of several boards
needs that. Fields this version does not know are kept and ignored. ``docs/report.md`` says what each field means.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from perception.errors import InputError
from perception.files import read_json
from perception.spec import InputSpec

SCHEMA = "panoedge.report/1"
RATES = ("network", "frame", "stream")
STAGES = ("read", "pre", "copy_in", "compute", "copy_out", "post")

# Nothing measured comes near; what is larger would not fit a float.
_LARGEST = 1e18
_DEEPEST = 32

Check = Callable[[Any, str], None]


class _Fault(Exception):
    """Which field is not what the schema says, and why."""

    def __init__(self, where: str, message: str):
        super().__init__(" ".join(f"{where.lstrip('.') or 'report'}: {message}".split()))


def _wrong(where: str, wanted: str, value: Any) -> _Fault:
    shown = json.dumps(value, default=str)
    return _Fault(where, f"expected {wanted}, got {shown[:60]}{'...' if len(shown) > 60 else ''}")


def load(path: Path) -> dict[str, Any]:
    """Read and check one ``report.json``; raises :class:`InputError` naming file and field."""
    return check(read_json(path), str(path))


def check(report: Any, source: str) -> dict[str, Any]:
    """Return ``report`` if it follows the schema, else raise :class:`InputError` that begins with ``source``."""
    try:
        _plain(report, "")
        _record({"schema": _one_of(SCHEMA)})(report, "")
        _REPORT(report, "")
    except _Fault as fault:
        raise InputError(f"{source}: {fault}; give a report.json as panoedge writes it") from None
    return report


def device_of(report: Mapping[str, Any], model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where this model was measured."""
    return model.get("device") or report["device"]


def run_of(report: Mapping[str, Any], model: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the machine went through while this model was measured, where that was watched."""
    return model.get("run") or report.get("run")


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, "a text", value)


def _flag(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise _wrong(where, "true or false", value)


def _number(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise _wrong(where, "a number not below 0", value)


def _difference(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        raise _wrong(where, "a number", value)


def _count(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise _wrong(where, "a whole number not below 0", value)


def _fraction(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _wrong(where, "a fraction between 0 and 1", value)


def _time(value: Any, where: str) -> None:
    _text(value, where)
    try:
        moment(value)
    except ValueError:
        raise _wrong(where, "an ISO 8601 time", value) from None


def moment(text: str) -> datetime:
    """An ISO 8601 time, UTC where it does not say; Python 3.10 does not read the final Z by itself."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _input(value: Any, where: str) -> None:
    try:
        InputSpec.from_json(value)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _wrong(where, "size, resize, thresholds and needs_nms", value) from None


def _one_of(*names: str) -> Check:
    def check_name(value: Any, where: str) -> None:
        if value not in names:
            raise _wrong(where, " or ".join(names), value)

    return check_name


def _nullable(inner: Check) -> Check:
    def check_nullable(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check_nullable


def _many(inner: Check, least: int = 0) -> Check:
    def check_many(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise _wrong(where, f"a list of {least} or more" if least else "a list", value)
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check_many


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    def check_record(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        for name in required:
            if name not in value:
                raise _Fault(f"{where}.{name}", "missing")
        for name, inner in {**required, **(optional or {})}.items():
            if name in value:
                inner(value[name], f"{where}.{name}")

    return check_record


def _each(inner: Check) -> Check:
    def check_each(value: Any, where: str) -> None:
        _record({})(value, where)
        for name, item in value.items():
            inner(item, f"{where}.{name}")

    return check_each


def _device(value: Any, where: str) -> None:
    _record({})(value, where)
    for name, item in value.items():
        for part in item if isinstance(item, list) else [item]:
            if not isinstance(part, str | int | float | None):
                raise _wrong(f"{where}.{name}", "a text, a number or a list of them", part)


def _plain(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what JSON parsers let through and pages do not: NaN, infinity, halves of characters, endless nesting."""
    if depth > _DEEPEST:
        raise _Fault(where[:_DEEPEST], f"nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        for name, item in value.items():
            _plain(name, where, depth)
            _plain(item, f"{where}.{name}", depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            _plain(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, "a finite number", value)
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(where, "text that UTF-8 can write", value)


_METRICS = _record(
    {
        "protocol": _one_of("rmt-ppad", "yolop"),
        "frames": _count,
        "data": _text,
        "split": _text,
    },
    # A task that the network does not have is absent.
    {
        "detection": _nullable(_record({"recall": _fraction, "mAP50": _fraction})),
        "drivable": _nullable(_record({"mIoU": _fraction})),
        "lane": _nullable(_record({"IoU": _fraction, "ACC": _fraction})),
    },
)
_HISTOGRAM = _record({"ms": _many(_number, least=2), "count": _many(_count, least=1)})
_PERCENTILES = _record(
    {"p50": _number, "p95": _number, "p99": _number}, {"mean": _number, "p90": _number, "max": _number}
)
_RATE = {
    "fps": _number,
    "ms": _PERCENTILES,
    "count": _count,
    "seconds": _number,
    "includes": _text,
}
_MORE = {
    "jitter": _number,
    "steady": _flag,
    "slices": _many(_number),
    "histogram": _HISTOGRAM,
    "ratio": _nullable(_record({"median": _number, "min": _number, "max": _number})),
    "watts": _nullable(_number),
    "frames_per_joule": _nullable(_number),
}
_SPLIT = _record({}, {stage: _nullable(_number) for stage in STAGES})
_PACED = _record(
    {
        "rate": _number,
        "frames": _count,
        "dropped": _count,
        "missed": _count,
        "offered": _number,
        "fps": _number,
        "deadline": _number,
        "age": _PERCENTILES,
        "histogram": _HISTOGRAM,
        "includes": _text,
    }
)
_SPEED = _record(
    {
        "network": _nullable(_record(_RATE, _MORE)),
        "frame": _nullable(_record(_RATE, {**_MORE, "split": _nullable(_SPLIT)})),
        "stream": _nullable(_record(_RATE, _MORE)),
    },
    {"paced": _nullable(_PACED)},
)
_DROP = _record({"reference": _text, "points": _each(_difference)})
_GATE = _record(
    {"gate": _text, "of": _text, "unit": _text, "limit": _number, "value": _nullable(_difference), "passed": _flag}
)
_PROFILE = _record(
    {
        "rooms": _each(_number),
        "layers": _many(_record({"name": _text, "room": _text, "ms": _number})),
        "includes": _text,
    }
)
_RUN = _record(
    {
        "sampler": _record({"certified": _flag, "faults": _many(_record({"fault": _text, "cure": _text}))}),
        "phases": _many(_record({"name": _text, "from": _number, "to": _number})),
        "host_memory": _count,
    }
)
_MODEL = _record(
    {
        "name": _text,
        "file": _text,
        "sha256": _text,
        "bytes": _count,
        "kind": _one_of("checkpoint", "onnx", "engine"),
        "precision": _nullable(_text),
        "network": _nullable(_text),
        "input": _input,
        "parameters": _nullable(_count),
        "macs": _nullable(_count),
        "metrics": _nullable(_METRICS),
        "speed": _nullable(_SPEED),
        "history": _many(_record({})),
    },
    {
        "device": _nullable(_device),
        "run": _nullable(_RUN),
        "drop": _nullable(_DROP),
        "gates": _many(_GATE),
        "profile": _nullable(_PROFILE),
    },
)
_OVERLAY = _record({"title": _text, "panels": _many(_record({"label": _text, "file": _text}), least=1)})
_REPORT = _record(
    {"created": _time, "title": _text, "device": _device, "models": _many(_MODEL, least=1)},
    {"run": _nullable(_RUN), "overlays": _nullable(_many(_OVERLAY))},
)
