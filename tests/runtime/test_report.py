import hashlib
from datetime import datetime, timezone
from pathlib import Path

import pytest

from runtime.backends import open_backend
from runtime.report import build_report, model_record, names_of


def test_model_record(network):
    with open_backend(network, "cpu") as backend:
        record = model_record(backend, None, None)
    assert record["name"] == "known"
    assert record["sha256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert record["bytes"] == network.stat().st_size
    assert (record["kind"], record["precision"], record["network"]) == ("onnx", "fp32", "known")
    assert (record["parameters"], record["macs"]) == (1500, 2_000_000)
    assert record["input"]["size"] == (64, 96)


def test_report_names_models_and_device():
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    models = [{"name": "teacher"}, {"name": "student"}]
    report = build_report({"name": "Orin"}, models, {"lost": ""}, now)
    assert report["title"] == "teacher, student on Orin"
    assert report["created"] == "2026-01-02T03:04:05+00:00"
    assert (report["models"], report["run"]) == (models, {"lost": ""})


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/teacher.onnx", "runs/student.onnx"], ["teacher", "student"]),
        (["student.onnx", "student.engine"], ["student.onnx", "student.engine"]),
        (["a/student.onnx", "b/student.onnx"], ["a/student.onnx", "b/student.onnx"]),
        (["student.onnx", "student.onnx"], ["student (1)", "student (2)"]),
    ],
)
def test_files_of_one_name_are_told_apart(paths, names):
    assert names_of(list(map(Path, paths))) == names
