"""What a benchmark writes: ``report.json``. ``docs/report.md`` lists its fields."""

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from perception.files import sha256
from runtime.backends import Model
from runtime.device import Facts

SCHEMA = "panoedge.report/1"


def build_report(
    device: Facts, models: Sequence[dict[str, Any]], run: dict[str, Any], now: datetime | None = None
) -> dict[str, Any]:
    """Models measured on one device in one run; ``now`` defaults to the current time."""
    return {
        "schema": SCHEMA,
        "created": (now or datetime.now(timezone.utc)).isoformat(timespec="seconds"),
        "title": f"{', '.join(model['name'] for model in models)} on {device['name']}",
        "device": device,
        "run": run,
        "models": list(models),
    }


def names_of(paths: Sequence[Path]) -> list[str]:
    """What to call files: their stems, or the least more that tells them apart (suffix, folder, a number)."""
    stems = [path.stem for path in paths]
    numbered = [f"{stem} ({number})" for number, stem in enumerate(stems, 1)]
    choices = (stems, [path.name for path in paths], [str(path) for path in paths])
    return next((names for names in choices if len({*names}) == len(names)), numbered)


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
