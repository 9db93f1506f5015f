"""What is fuzzed: by name, a reader and the small whole files that mutation starts from."""

import codecs
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from compress.times import read_times
from fuzz import networks, records
from fuzz.target import SIZE, Target, of_file, of_json
from fuzz.verdict import Finding
from panoedge.ablate.cells import known_record
from panoedge.ablate.latency import known_shares
from panoedge.ablate.rows import rows
from panoedge.ablate.settings import NONE, TEACHER, Cell
from panoedge.estimate.graph import kernels
from panoedge.report import document, markdown, overlay, page, schema
from perception.data.images import is_turned, read_image, read_mask
from perception.data.labels import LabelList, bdd_folder, boxes_of, yolo_folder
from perception.errors import InputError
from perception.files import read_json
from perception.layer_bundle import INDEX, read_index
from perception.layer_times import parse_times
from perception.onnx_weights import check_self_contained
from perception.spec import Deployed, InputSpec
from perception.tasks import DRIVABLE, VEHICLE_CATEGORIES
from runtime.answers import Answers
from runtime.device import Sampler, probe
from runtime.gates import Limits, drops, judge, read_reference
from runtime.text import drop_text, gates_text


def targets(folder: Path) -> dict[str, Callable[[], Target]]:
    """By name, what makes each target; ``folder`` is where they keep their files."""
    return {
        "checkpoint": lambda: networks.checkpoint_target(folder / "a.safetensors"),
        "checkpoint-config": lambda: networks.config_target(folder / "b.safetensors"),
        "training-state": lambda: networks.state_target(folder / "c.safetensors"),
        "torch-file": lambda: networks.torch_file_target(folder / "a.pt"),
        "torch-pickle": lambda: networks.torch_pickle_target(folder / "b.pt"),
        "onnx": lambda: networks.onnx_target(folder / "a.onnx"),
        "onnx-weights": lambda: of_file(folder / "c.onnx", check_self_contained, [records.onnx_graph()], 40_000),
        "onnx-graph": lambda: of_file(folder / "d.onnx", kernels, [records.onnx_graph()], 20_000),
        "onnx-metadata": lambda: networks.onnx_metadata_target(folder / "b.onnx"),
        "engine-record": lambda: networks.engine_record_target(folder / "a.engine"),
        "labels-json": lambda: of_json(folder / "a.json", _bdd_labels, [records.LABELS], 100_000),
        "labels-list": lambda: of_json(folder / "list.json", _label_list, [records.LABEL_LIST], 60_000),
        "labels-txt": lambda: of_file(
            folder / "a.txt", _yolo_labels, [b"0 0.5 0.5 0.1 0.2\n3 .1 .1 1e-3 1\n"], 150_000
        ),
        "mask": lambda: _picture(folder / "mask.png", read_mask, grey=True),
        "image": lambda: _picture(folder / "a.jpg", _image, grey=False),
        "report": lambda: of_json(folder / "report.json", schema.load, [records.REPORT], 50_000),
        "report-page": lambda: of_json(folder / "page.json", _page, [records.REPORT], 5_000),
        "overlay-name": lambda: _overlay_name(folder),
        "reference": lambda: of_json(folder / "reference.json", _reference, [records.METRICS, records.REPORT], 80_000),
        "costs": lambda: of_json(folder / "costs.json", _costs, [records.TIMES], 100_000),
        "costs-report": lambda: _costs_report(folder / "profile.json"),
        "ablation-cell": lambda: of_json(
            folder / "cell.json", _cell, [records.CELL, {**records.CELL, **_FAULT}], 50_000
        ),
        "ablation-latency": lambda: of_json(folder / "latency.json", _latency, [records.LATENCY], 50_000),
        "answers": lambda: _answers(folder / "answers.npz"),
        "bundle": lambda: of_json(folder / INDEX, _bundle, [records.BUNDLE], 100_000),
        "board": lambda: _board(folder / "board"),
    }


def warm_up(target: Target) -> None:
    """Let a reader import and set up what it only needs once, before it is watched."""
    # What zip archives name their members in.
    codecs.lookup("cp437")
    for seed in target.seeds:
        with suppress(InputError):
            target.read(seed)


def _bdd_labels(path: Path) -> None:
    boxes_of(bdd_folder(path.parent).read(path.stem, SIZE), VEHICLE_CATEGORIES, SIZE)


def _label_list(path: Path) -> None:
    labels = LabelList(path)
    for name in labels.names():
        boxes_of(labels.read(name, SIZE), VEHICLE_CATEGORIES, SIZE)


def _yolo_labels(path: Path) -> None:
    boxes_of(yolo_folder(path.parent).read(path.stem, SIZE), frozenset("0"), SIZE)


def _pictures(grey: bool) -> list[bytes]:
    ramp = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE)
    image = ramp if grey else np.dstack([ramp, ramp.T.reshape(SIZE), 255 - ramp])
    return [cv2.imencode(suffix, image)[1].tobytes() for suffix in (".png", ".jpg")]


def _picture(path: Path, read: Callable[[Path], Any], grey: bool) -> Target:
    return of_file(path, read, _pictures(grey), 100_000)._replace(growth=50_000)


def _image(path: Path) -> None:
    read_image(path)
    is_turned(path)


def _page(path: Path) -> None:
    laid_out = document.document(schema.load(path), [])
    markdown.render(laid_out)
    if records.MARK in page.render(laid_out):
        raise Finding("a tag of the report's is one of the page's")


def _overlay_name(folder: Path) -> Target:
    """The name of a picture that a report shows."""
    (folder / "overlays").mkdir(exist_ok=True)
    (folder / "overlays" / "1.png").write_bytes(_pictures(grey=False)[0])

    def read(data: bytes) -> None:
        name = data.decode("utf-8", "replace")
        scene = {"title": "scene", "panels": [{"label": "a", "file": name}]}
        overlay.read({"overlays": [scene]}, folder / "report.json")

    return Target(read, [b"overlays/1.png", b"../overlays/1.png", b"/etc/hostname", b"overlays/../../x"], 100_000)


def _reference(path: Path) -> None:
    points = drops(records.METRICS, read_reference(path), path)
    gates_text(judge({"speed": {}, "drop": {"points": points}}, Limits(max_drop=1)))
    drop_text({"reference": "a", "points": points})


def _costs(path: Path) -> None:
    times = parse_times(path, read_json(path))
    _must_be_finite(times.fixed + sum(times.layer(kind, grid.inputs[0], 3) for kind, grid in times.grids.items()))


def _must_be_finite(milliseconds: float) -> None:
    if not math.isfinite(milliseconds):
        raise Finding(f"{milliseconds} ms")


def _costs_report(path: Path) -> Target:
    """The report of a profile, which costs are taken from too."""
    network = networks.Tiny()
    layers = [{"name": "a", "room": "b", "ms": 1, "modules": ["conv"]}, {"name": "b", "room": "c", "ms": 2}]
    speed = {"network": {"ms": {"p50": 2.5}}}
    model = {"network": networks.Tiny.name, "parameters": 4, "profile": {"layers": layers}, "speed": speed}

    def read(path: Path) -> None:
        times = read_times(path, network)
        _must_be_finite(times.fixed + times.of("conv", ())(1, 2))

    return of_json(path, read, [{"models": [model]}], 100_000)


_FAULT = {"fault": "out of reach"}
_TEACHER = Cell(TEACHER, 1.0, NONE, 0)


def _cell(path: Path) -> None:
    """The record of a cell beside that of the teacher."""
    rows([{**records.CELL, "cell": asdict(_TEACHER)}, known_record(path, Cell(**records.CELL["cell"]))], {})


def _latency(path: Path) -> None:
    known_shares(path)


def _answers(path: Path) -> Target:
    """What a network answered to two pictures of one colour; stored, so that mutation meets more than deflate."""
    spec, count = InputSpec((32, 32), tasks=(DRIVABLE,)), 2
    info = json.dumps(Deployed("fuzz", spec, "fp32", 1, 1, "ab").to_json()).encode()
    masks, means = np.zeros((count, 32, 32), np.uint8), np.zeros(count, np.float32)
    pictures = np.zeros((count, 32, 32, 3), np.uint8)
    np.savez(path, info=np.frombuffer(info, np.uint8), pictures=pictures, drivable=masks, drivable_mean=means)
    return of_file(path, Answers, [path.read_bytes()], 20_000)


def _bundle(path: Path) -> None:
    list(islice(read_index(path.parent).layers(), 1000))


def _board(root: Path) -> Target:
    """Files that a machine tells of itself in, one a line as in the tests' listings; none but the seed's are made."""
    known = dict.fromkeys(records.BOARD)
    written: dict[str, str] = {}

    def read(data: bytes) -> None:
        lines = dict(line.partition(" = ")[::2] for line in data.decode("latin-1").split("\n"))
        for name in known:
            content = lines.get(name, "").replace("\\n", "\n").replace("\\0", "\0")
            if written.get(name) != content:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="latin-1")
                written[name] = content
        probe(root, lambda command: lines.get("nvidia-smi", ""), lambda: "")
        sampler = Sampler(root, open_card=lambda: None)
        sampler.sample()
        json.dumps(sampler.record(), allow_nan=False)

    seed = "\n".join(f"{name} = {content}" for name, content in records.BOARD.items())
    return Target(read, [f"{seed}\nnvidia-smi = GPU, 550, 8 GiB, 60 W, 8.7".encode("latin-1")], 2_000)
