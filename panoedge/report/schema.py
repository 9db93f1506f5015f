"""What a ``report.json`` holds, checked field by field before anything relies on it.

Fractions lie in [0, 1], times are milliseconds, sizes bytes. Null stands for "not measured", never for zero. The
top-level ``device`` and ``run`` speak for every model, unless a model carries its own: merging runs of several boards
needs that. Fields this version does not know are kept and ignored. ``docs/report.md`` says what each field means.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from panoedge.report.checks import (
    Fault,
    columns,
    count,
    difference,
    each,
    flag,
    fraction,
    instant,
    many,
    nullable,
    number,
    one_of,
    plain,
    record,
    text,
    words,
    wrong,
)
from perception.errors import MALFORMED, InputError
from perception.files import read_json
from perception.spec import InputSpec

SCHEMA = "panoedge.report/1"
RATES = ("network", "frame", "stream")
STAGES = ("read", "pre", "copy_in", "compute", "copy_out", "post")
# What a sampler watches, each kind with its unit; fractions are shown as per cent.
KINDS = {"power": "W", "temperature": "°C", "clock": "MHz", "load": "%", "memory": "MB"}


def load(path: Path) -> dict[str, Any]:
    """Read and check one ``report.json``; raises :class:`InputError` naming file and field."""
    return check(read_json(path), str(path))


def check(report: Any, source: str) -> dict[str, Any]:
    """Return ``report`` if it follows the schema, else raise :class:`InputError` that begins with ``source``."""
    try:
        plain(report, "")
        record({"schema": one_of(SCHEMA)})(report, "")
        _REPORT(report, "")
    except Fault as fault:
        raise InputError(f"{source}: {fault}; give a report.json as panoedge writes it") from None
    return report


def device_of(report: Mapping[str, Any], model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where this model was measured."""
    return model.get("device") or report["device"]


def run_of(report: Mapping[str, Any], model: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the machine went through while this model was measured, where that was watched."""
    return model.get("run") or report.get("run")


def created_of(report: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """When this model was measured, in ISO 8601."""
    return model.get("created") or report["created"]


def _input(value: Any, where: str) -> None:
    try:
        InputSpec.from_json(value)
    except MALFORMED:
        raise wrong(where, "size, resize, thresholds and needs_nms", value) from None


def _device(value: Any, where: str) -> None:
    record({})(value, where)
    for name, item in value.items():
        for part in item if isinstance(item, list) else [item]:
            if not isinstance(part, str | int | float | None):
                raise wrong(f"{where}.{name}", "a text, a number or a list of them", part)


def _histogram(value: Any, where: str) -> None:
    record({"ms": many(number, least=2), "count": many(count, least=1)})(value, where)
    edges = value["ms"]
    if len(edges) != len(value["count"]) + 1 or any(low > high for low, high in pairwise(edges)):
        raise Fault(where, "expected ascending edges in ms, one more than in count")


def _sampler(value: Any, where: str) -> None:
    _SAMPLER(value, where)
    for kind in KINDS:
        for name, quantity in value.get(kind, {}).items():
            if len(quantity["series"]) != len(value.get("times", [])):
                raise Fault(f"{where}.{kind}.{name}.series", "expected as many readings as there are times")


_METRICS = record(
    {
        "protocol": one_of("rmt-ppad", "yolop"),
        "frames": count,
        "data": text,
        "split": text,
    },
    # A task that the network does not have is absent.
    {
        "detection": nullable(record({"recall": fraction, "mAP50": fraction})),
        "drivable": nullable(record({"mIoU": fraction})),
        "lane": nullable(record({"IoU": fraction, "ACC": fraction})),
    },
)
_PERCENTILES = record({"p50": number, "p95": number, "p99": number}, {"mean": number, "p90": number, "max": number})
_RATE = {
    "fps": number,
    "ms": _PERCENTILES,
    "count": count,
    "seconds": number,
    "includes": text,
}
_MORE = {
    "jitter": number,
    "steady": flag,
    "cut": flag,
    "slices": many(number),
    "histogram": _histogram,
    "timeline": columns(1, seconds=number, p50=number, max=number),
    "ratio": nullable(record({"median": number, "min": number, "max": number})),
    "watts": nullable(number),
    "frames_per_joule": nullable(number),
}
_SPLIT = record({}, {stage: nullable(number) for stage in STAGES})
_PACED = record(
    {
        "rate": number,
        "frames": count,
        "dropped": count,
        "missed": count,
        "offered": number,
        "fps": number,
        "deadline": number,
        "age": _PERCENTILES,
        "histogram": _histogram,
        "includes": text,
    }
)
_SPEED = record(
    {
        "network": nullable(record(_RATE, _MORE)),
        "frame": nullable(record(_RATE, {**_MORE, "split": nullable(_SPLIT)})),
        "stream": nullable(record(_RATE, _MORE)),
    },
    {"paced": nullable(_PACED)},
)
_DROP = record({"reference": text, "points": each(difference)})
_GATE = record(
    {"gate": text, "of": text, "unit": text, "limit": number, "value": nullable(difference), "passed": flag},
    {"cut": flag},
)
_PROFILE = record(
    {
        "rooms": each(number),
        "layers": many(record({"name": text, "room": text, "ms": number}, {"modules": many(text)})),
        "includes": text,
    }
)
_MEMORY = record({"loaded": count, "activations": count, "shared": flag})
_QUANTITY = record({"mean": difference, "max": difference, "series": many(nullable(difference))})
_SAMPLER = record(
    {"certified": flag, "faults": many(record({"fault": text, "cure": text}))},
    {
        "seconds": number,
        "times": many(number),
        **dict.fromkeys(KINDS, each(_QUANTITY)),
        "total_power": nullable(record({"of": many(text), "watts": number, "joules": number})),
        "alarms": count,
        "throttled": nullable(record({"at": number, "by": many(text)})),
    },
)
_RUN = record(
    {
        "sampler": _sampler,
        "phases": many(record({"name": text, "from": number, "to": number})),
        "host_memory": count,
    },
    {"lost": words, "device_memory": nullable(count)},
)
_MODEL = record(
    {
        "name": text,
        "file": text,
        "sha256": text,
        "bytes": count,
        "kind": one_of("checkpoint", "onnx", "engine"),
        "precision": nullable(text),
        "network": nullable(text),
        "input": _input,
        "parameters": nullable(count),
        "macs": nullable(count),
        "metrics": nullable(_METRICS),
        "speed": nullable(_SPEED),
        "history": many(record({})),
    },
    {
        "created": nullable(instant),
        "device": nullable(_device),
        "run": nullable(_RUN),
        "drop": nullable(_DROP),
        "gates": many(_GATE),
        "profile": nullable(_PROFILE),
        "memory": nullable(_MEMORY),
    },
)
_OVERLAY = record({"title": text, "panels": many(record({"label": text, "file": text}), least=1)})
_REPORT = record(
    {"created": instant, "title": text, "device": _device, "models": many(_MODEL, least=1)},
    {"run": nullable(_RUN), "overlays": nullable(many(_OVERLAY))},
)
