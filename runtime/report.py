"""What a benchmark writes: ``report.json``."""

from datetime import datetime, timezone
from typing import Any

from perception.files import sha256
from runtime.backends import Model
from runtime.device import Facts

SCHEMA = "panoedge.report/1"


def build_report(
    device: Facts, model: dict[str, Any], gate: dict[str, Any] | None, now: datetime | None = None
) -> dict[str, Any]:
    """One model measured on one device; ``now`` defaults to the current time."""
    return {
        "schema": SCHEMA,
        "created": (now or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
        "title": f"{model['name']} on {device['name']}",
        "device": device,
        "models": [model],
        "gate": gate,
    }


def model_record(model: Model, metrics: dict[str, Any] | None, speed: dict[str, Any] | None) -> dict[str, Any]:
    """What the file is, and what was measured with it."""
    info = model.info
    return {
        "name": model.path.stem,
        "file": str(model.path),
        "sha256": sha256(model.path),
        "bytes": model.path.stat().st_size,
        "kind": model.kind,
        "precision": info.precision,
        "network": info.network,
        "input": info.spec.to_json(),
        "parameters": info.parameters,
        "macs": info.macs,
        "metrics": metrics,
        "speed": speed,
        "history": [],
    }


def gate_record(speed: dict[str, Any], fps_of: str, min_fps: float) -> dict[str, Any]:
    """Whether the rate asked for is reached."""
    fps = speed[fps_of]["fps"]
    return {"fps_of": fps_of, "min_fps": min_fps, "fps": fps, "passed": fps >= min_fps}
