import hashlib
from datetime import datetime, timezone

import pytest

from runtime.backends import open_backend
from runtime.report import build_report, gate_record, model_record


def test_model_record(network):
    with open_backend(network, "cpu") as backend:
        record = model_record(backend, None, None)
    assert record["name"] == "known"
    assert record["sha256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert record["bytes"] == network.stat().st_size
    assert (record["kind"], record["precision"], record["network"]) == ("onnx", "fp32", "known")
    assert (record["parameters"], record["macs"]) == (1500, 2_000_000)
    assert record["input"]["size"] == (64, 96)


@pytest.mark.parametrize(("fps", "passed"), [(31.9, False), (32.0, True), (40.0, True)])
def test_gate(fps, passed):
    speed = {"network": {"fps": 99.0}, "stream": {"fps": fps}}
    assert gate_record(speed, "stream", 32.0) == {"fps_of": "stream", "min_fps": 32.0, "fps": fps, "passed": passed}


def test_report_names_model_and_device():
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    report = build_report({"name": "Orin"}, {"name": "student"}, None, now)
    assert report["title"] == "student on Orin"
    assert report["created"] == "2026-01-02T03:04:05+00:00"
    assert report["models"] == [{"name": "student"}]
