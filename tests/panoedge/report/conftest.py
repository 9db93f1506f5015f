"""A report of the usual five models, made up but complete, and pictures to go with it."""

import json
from typing import Any

import numpy as np
import pytest

from panoedge.report import Overlay, Panel
from perception.spec import InputSpec

BOARD = {
    "name": "Jetson Orin NX 16GB",
    "cpu": "Cortex-A78AE",
    "cores": 8,
    "memory": "15.3 GiB",
    "power_mode": "MAXN",
    "os": "Linux 5.15 (L4T 36.4)",
    "python": "3.10.12",
    "numpy": "1.26.4",
    "onnxruntime": None,
    "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}


def rate(fps: float, includes: str, **more: Any) -> dict[str, Any]:
    median = 1000 / fps
    ms = {"mean": median, "p50": median, "p90": 1.1 * median, "p95": 1.2 * median, "p99": 1.5 * median, "max": 9.0}
    return {"fps": fps, "ms": ms, "count": 600, "seconds": 600 / fps, "includes": includes, **more}


def speed(fps: float) -> dict[str, Any]:
    median = 1000 / (0.7 * fps)
    split = {"read": None, "pre": 0.1 * median, "copy_in": None, "compute": 0.7 * median}
    split |= {"copy_out": None, "post": 0.2 * median}
    return {
        "network": rate(fps, "inference with bound inputs and outputs"),
        "frame": rate(0.7 * fps, "resize, inference, suppression and masks to native size", split=split),
        "stream": rate(0.95 * fps, "the same with three threads and queues of two frames"),
    }


def metrics(recall: float, ap: float, drivable: float, lane: float, acc: float) -> dict[str, Any]:
    return {
        "protocol": "rmt-ppad",
        "frames": 10000,
        "data": "/data/bdd100k",
        "split": "val",
        "detection": {"precision": 0.1, "recall": recall, "mAP50": ap, "mAP50_95": 0.5, "n_gt": 9, "n_pred": 99},
        "drivable": {"mIoU": drivable, "IoU": drivable, "ACC": drivable},
        "lane": {"IoU": lane, "mIoU": lane, "ACC": acc},
    }


def model(name: str, kind: str = "checkpoint", precision: str = "fp32", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "file": f"runs/{name}.safetensors",
        "sha256": "0123456789abcdef" * 4,
        "bytes": 31_900_000,
        "kind": kind,
        "precision": precision,
        "network": "yolop",
        "input": InputSpec((384, 640)).to_json(),
        "parameters": 7_940_000,
        "macs": 9_340_000_000,
        "metrics": None,
        "speed": None,
        "history": [],
        **more,
    }


@pytest.fixture
def report() -> dict[str, Any]:
    """Teacher, pruned, student and the student exported twice."""
    taught = [{"stage": "train", "epochs": 120, "optimiser": {"name": "adamw", "lr": 0.001}, "data": "bdd100k"}]
    pruned = [*taught, {"stage": "prune", "budget": "params=0.673", "importance": "safe"}]
    distilled = [*pruned, {"stage": "distill", "epochs": 30, "teacher": "teacher.safetensors"}]
    small = {"parameters": 5_340_000, "macs": 6_010_000_000, "history": distilled}
    accuracy = metrics(0.911, 0.842, 0.9312, 0.561, 0.8431)
    whole = {
        "schema": "panoedge.report/1",
        "created": "2026-03-01T09:30:00Z",
        "title": "YOLOP made smaller",
        "device": BOARD,
        "models": [
            model("teacher", metrics=metrics(0.923, 0.848, 0.9331, 0.566, 0.846), speed=speed(21.4), history=taught),
            model(
                "pruned",
                **{**small, "bytes": 21_500_000, "history": pruned},
                metrics=metrics(0.81, 0.7, 0.91, 0.5, 0.8),
            ),
            model("student", **small, bytes=21_500_000, metrics=accuracy),
            model("student-fp32", "onnx", **small, bytes=21_600_000, metrics=accuracy, speed=speed(29.8)),
            model(
                "student-fp16",
                "onnx",
                "fp16",
                **small,
                bytes=10_900_000,
                speed=speed(41.7),
                metrics=metrics(0.9105, 0.8391, 0.9308, 0.5601, 0.8425),
            ),
        ],
    }
    whole["models"][-1]["gates"] = [
        {"gate": "min-fps", "of": "stream", "unit": "FPS", "limit": 32, "value": 39.6, "passed": True}
    ]
    # Parts of it are one object several times over, which a test that changes one of them must not notice.
    return json.loads(json.dumps(whole))


@pytest.fixture
def overlays() -> list[Overlay]:
    """One scene of a teacher and a student, plainly red and plainly blue."""
    panels = []
    for label, colour in (("teacher", (200, 30, 30)), ("student-fp16", (30, 30, 200))):
        panels.append(Panel(label, np.full((360, 640, 3), colour, np.uint8)))
    return [Overlay("0ace96c3", panels)]
