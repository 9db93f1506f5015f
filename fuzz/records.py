"""Whole files of every kind, as small as they can be; mutation starts from them."""

import json
from pathlib import Path
from typing import Any

from onnx import ModelProto, TensorProto, helper

from perception.engine_file import EngineRecord, Source, Tensor
from perception.layer_bundle import Axes, Bundle
from perception.layer_times import Grid, Kind, Layer, LayerTimes
from perception.spec import ONNX_METADATA_KEY, Deployed, InputSpec

# A tag of a stranger's, which no page may hold as it is.
MARK = "<fuzz>"

_DEPLOYED = Deployed("yolop", InputSpec((64, 96)), "fp16", 1500, 2_000_000, "ab" * 32)
DEPLOYED = _DEPLOYED.to_json()
ENGINE = EngineRecord(
    Source("a.onnx", "ab" * 32, "tensorrt", "10.3.0", "Orin", "8.7", None),
    _DEPLOYED,
    (Tensor("image", "input", "uint8", (1, 64, 96, 3)),),
    "cd" * 32,
    12.5,
    "2026-03-01T09:30:00Z",
).to_json()

_OBJECT = {"category": "car", "box2d": {"x1": 1, "y1": 2.5, "x2": 30, "y2": 20}}
LABELS = {"name": "a", "frames": [{"timestamp": 1, "objects": [_OBJECT, {"category": "lane/road", "poly2d": []}]}]}
LABEL_LIST = [{"name": "a.jpg", "labels": [_OBJECT]}, {"name": "b.jpg"}]

_KIND = Kind("conv", (8, 12), (3, 3))
TIMES = LayerTimes("yolop", "fp16", {"name": "Orin"}, {_KIND: Grid((8, 16), (8,), ((0.1,), (0.2,)))}).to_json()
BUNDLE = Bundle("yolop", "fp16", {_KIND: Axes((8, 16), (8,))}, {"whole.onnx": (Layer(_KIND, 8, 8),)}).to_json()

METRICS: dict[str, Any] = {
    "protocol": "yolop",
    "frames": 9,
    "data": "scenes",
    "split": "val",
    "detection": {"recall": 0.9, "mAP50": 0.8},
    "drivable": {"mIoU": 0.9},
    "lane": {"IoU": 0.5, "ACC": 0.8},
}
CELL = {
    "cell": {"method": "safe", "share": 0.7, "recovery": "none", "seed": 0},
    "recipe": {"teacher": "ab" * 32},
    "params": 1500,
    "macs": 2_000_000,
    "metrics": METRICS,
    "seconds": 3.5,
}
LATENCY = {"a.safetensors": 0.5, "b.safetensors": 0.75}
_MS = {"mean": 4.0, "p50": 4.0, "p95": 5.0, "p99": 6.0, "max": 9.0}
_RATE = {
    "fps": 250.0,
    "ms": _MS,
    "count": 3,
    "seconds": 0.01,
    "includes": "all",
    "histogram": {"ms": [3, 4, 9], "count": [2, 1]},
}
_QUANTITY = {"mean": 50, "max": 60, "series": [50, None]}
REPORT = {
    "schema": "panoedge.report/1",
    "created": "2026-03-01T09:30:00Z",
    "title": MARK,
    "device": {"name": MARK, "cores": 6, "providers": ["cpu", MARK]},
    "models": [
        {
            "name": MARK,
            "file": "a.onnx",
            "sha256": "ab" * 32,
            "bytes": 900,
            "kind": "onnx",
            "precision": "fp16",
            "network": MARK,
            "input": InputSpec((64, 96)).to_json(),
            "parameters": 1500,
            "macs": 2_000_000,
            "metrics": METRICS,
            "speed": {"network": _RATE, "frame": {**_RATE, "split": {"pre": 1, "read": None}}, "stream": None},
            "history": [{"stage": MARK, "epochs": 3, "sources": [MARK, {"width": 0.5}]}],
            "drop": {"reference": MARK, "points": {"recall": 1.5}},
            "gates": [{"gate": MARK, "of": "stream", "unit": "FPS", "limit": 32, "value": None, "passed": False}],
            "profile": {
                "rooms": {"lane": 1},
                "layers": [{"name": MARK, "room": "lane", "ms": 1}],
                "includes": "all",
            },
        }
    ],
    "run": {
        "sampler": {
            "certified": False,
            "faults": [{"fault": MARK, "cure": MARK}],
            "times": [0, 1],
            "power": {MARK: _QUANTITY},
            "total_power": {"of": [MARK], "watts": 9, "joules": 90},
            "throttled": {"at": 1, "by": [MARK]},
        },
        "phases": [{"name": MARK, "from": 0, "to": 1}],
        "host_memory": 1000,
    },
}

_TREES = Path(__file__).parents[1] / "tests" / "runtime" / "device" / "trees"
# A board's and a computer's, joined: content by name of the file.
BOARD = {
    name: content
    for tree in ("computer", "orin-nano-jetpack6")
    for name, equals, content in (line.partition(" = ") for line in (_TREES / f"{tree}.txt").read_text().splitlines())
    if equals
}


def onnx_file() -> bytes:
    """A model without a graph, with metadata."""
    model = ModelProto(ir_version=10, producer_name="fuzz")
    model.metadata_props.add(key="other", value="1")
    model.metadata_props.add(key=ONNX_METADATA_KEY, value=json.dumps(DEPLOYED))
    return model.SerializeToString()


def onnx_graph() -> bytes:
    """A model of two layers."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 1, 1], [1.0, 2.0])
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], pads=[0, 0, 0, 0]),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, depth, 4, 4])
        for name, depth in (("image", 1), ("y", 2))
    ]
    return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])).SerializeToString()
