"""A report of the usual five models, made up but complete, and pictures to go with it."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from panoedge.report import Overlay, Panel, merge
from perception.spec import InputSpec
from runtime.timing import histogram, percentiles, timeline

BOARD = {
    "name": "Jetson Orin NX 16GB",
    "cpu": "Cortex-A78AE",
    "cores": 8,
    "ram": "15.3 GiB",
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


def sampled(seconds: float, watts: float, throttled: bool) -> dict[str, Any]:
    """A run that warms the board up; from two thirds on the board slows itself down if it is ``throttled``."""
    times = np.linspace(0, seconds, 120)
    slow = throttled & (times > 2 * seconds / 3)
    busy = np.where(times < 0.05 * seconds, 0.3, np.where(slow, 0.7, 1.0))
    wave = 1 + 0.03 * np.sin(np.arange(120))
    warm = 45 + 30 * (1 - np.exp(-3 * times / seconds))

    def quantity(values: np.ndarray) -> dict[str, Any]:
        kept = [round(float(value), 2) for value in values]
        return {"mean": sum(kept) / len(kept), "min": min(kept), "max": max(kept), "series": kept}

    rails = {"VDD_IN": 1.0, "VDD_CPU_GPU_CV": 0.5, "VDD_SOC": 0.2}
    zones = ("tj", "gpu", "cpu", "soc0", "soc1", "soc2", "cv0")
    return {
        "sampler": {
            "seconds": seconds,
            "times": [round(float(time), 3) for time in times],
            "power": {rail: quantity(share * watts * busy * wave) for rail, share in rails.items()},
            "temperature": {zone: quantity(warm - 2 * place) for place, zone in enumerate(zones)},
            "clock": {"GPU": quantity(np.where(slow, 612, 918)), "CPU 0": quantity(np.full(120, 1984))},
            "load": {"CPU": quantity(0.35 * busy * wave), "GPU": quantity(0.9 * busy)},
            "total_power": {"of": ["VDD_IN"], "watts": watts, "joules": watts * seconds},
            "throttled": {"at": round(2 * seconds / 3, 1), "by": ["gpu-throttle-alert"]} if throttled else None,
            "certified": not throttled,
            "faults": [{"fault": "throttled from 63.3 s on", "cure": "sudo jetson_clocks --fan"}] if throttled else [],
        },
        "phases": [
            {"name": name, "from": (0.05 + 0.3 * place) * seconds, "to": (0.33 + 0.3 * place) * seconds}
            for place, name in enumerate(("network", "frame", "stream"))
        ],
        "host_memory": 612_000_000,
        "lost": "",
    }


def benched(fps: float, seed: int, ratio: float | None) -> dict[str, Any]:
    """All that the benchmark records, with a stall now and then."""
    chance = np.random.default_rng(seed)
    record = speed(fps)
    for rate, timing in record.items():
        typical = 0.95 * timing["ms"]["p50"]
        times = typical + chance.gamma(2, 0.03 * typical, 600)
        times[::150] *= 2.5
        timing |= {"ms": percentiles(times), "jitter": 0.4, "steady": rate != "frame"}
        timing |= {"histogram": histogram(times), "timeline": timeline(times)}
        if ratio:
            timing["ratio"] = {"median": ratio, "min": 0.97 * ratio, "max": 1.02 * ratio}
    ages = 1000 / fps + chance.gamma(2, 3, 300)
    counts = {"frames": 300, "dropped": 7, "missed": 12}
    rates = {"rate": 30.0, "offered": 30.0, "fps": 29.3, "deadline": 33.3}
    seen = {"age": percentiles(ages), "histogram": histogram(ages)}
    record["paced"] = {**rates, **counts, **seen, "includes": "from the moment a frame comes to its result"}
    return record


@pytest.fixture
def boards(report) -> dict[str, Any]:
    """Two networks on two boards and two days, with all that a benchmark can tell; the second board throttled."""
    parts = []
    for day, (board, factor, watts) in enumerate((("Orin NX 16GB", 1.0, 14.2), ("Orin Nano 8GB", 0.6, 9.8))):
        teacher, student = (deepcopy(report["models"][index]) for index in (0, 4))
        for place, (each, fps, ratio) in enumerate(((teacher, 21.4, None), (student, 41.7, 1.95))):
            rooms = {"lane": 6.1, "backbone": 11.8, "encoder": 2.3, "drivable+lane": 1.0, "drivable": 6.4}
            rooms |= {"detection": 2.2}
            rooms = {room: ms / factor / (ratio or 1) for room, ms in rooms.items()}
            each |= {"kind": "engine", "precision": "fp16", "speed": benched(factor * fps, 2 * day + place, ratio)}
            each |= {"file": f"{each['name']}.engine", "profile": {"rooms": rooms, "layers": [], "includes": "medians"}}
        student["speed"]["stream"] |= {"watts": watts, "frames_per_joule": 39.6 * factor / watts}
        student["drop"] = {"reference": "runs/teacher.metrics.json", "points": {"recall": 1.2, "mAP50": -0.1}}
        student["gates"][0] |= {"value": 39.6 * factor, "passed": factor == 1}
        part = {**report, "device": {**BOARD, "name": f"Jetson {board}"}, "models": [teacher, student]}
        parts.append({**part, "created": f"2026-03-0{1 + day}T09:30:00Z", "run": sampled(95.0, watts, day == 1)})
    return merge(parts)
