"""What is fuzzed: by name, a reader and the small whole files that mutation starts from."""

import codecs
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from compress.state import load_state, save_state
from compress.times import read_times
from fuzz import records
from fuzz.verdict import Finding, Read
from panoedge.ablate.cells import known_record
from panoedge.ablate.latency import known_shares
from panoedge.ablate.rows import rows
from panoedge.ablate.settings import NONE, TEACHER, Cell
from panoedge.estimate.graph import kernels
from panoedge.report import document, markdown, overlay, page, schema
from perception import checkpoint
from perception.data.images import is_turned, read_image, read_mask
from perception.data.labels import LabelList, bdd_folder, boxes_of, yolo_folder
from perception.engine_file import read_record, record_path
from perception.errors import InputError
from perception.files import read_json
from perception.foreign import TorchFile, find_weights
from perception.gpu import Gpu
from perception.layer_bundle import INDEX, read_index
from perception.layer_times import parse_times
from perception.networks import register
from perception.networks.base import Network
from perception.onnx_metadata import parse_deployed, read_deployed
from perception.onnx_weights import check_self_contained
from perception.spec import InputSpec
from perception.tasks import VEHICLE_CATEGORIES
from runtime.backends.engine_fit import check_fits
from runtime.device import Sampler, probe
from runtime.engine_info import engine_facts
from runtime.gates import Limits, drops, judge, read_reference
from runtime.text import drop_text, facts_text, gates_text, model_facts

SIZE = (32, 64)


class Target(NamedTuple):
    """A reader and its campaign.

    Attributes:
        read: the reader.
        seeds: what mutation starts from.
        runs: inputs of a campaign.
        spare_mib: memory that any input may take.
        growth: bytes of memory that a byte of the input may take.
    """

    read: Read
    seeds: list[bytes]
    runs: int
    spare_mib: int = 64
    growth: int = 200


@register
class _Tiny(Network):
    """As small as a network can be, so that a file of it is a few hundred bytes."""

    name = "fuzz-tiny"
    config: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.config = {}
        self.spec = InputSpec((32, 32))
        self.conv = nn.Conv2d(1, 2, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"y": self.conv(images[:, :1])}


def targets(folder: Path) -> dict[str, Callable[[], Target]]:
    """By name, what makes each target; ``folder`` is where they keep their files."""
    return {
        "checkpoint": lambda: _checkpoint(folder / "a.safetensors"),
        "checkpoint-config": lambda: _config(folder / "b.safetensors"),
        "training-state": lambda: _state(folder / "c.safetensors"),
        "torch-file": lambda: _torch_file(folder / "a.pt"),
        "torch-pickle": lambda: _torch_pickle(folder / "b.pt"),
        "onnx": lambda: _onnx(folder / "a.onnx"),
        "onnx-weights": lambda: _file(folder / "c.onnx", check_self_contained, [records.onnx_graph()], 40_000),
        "onnx-graph": lambda: _file(folder / "d.onnx", kernels, [records.onnx_graph()], 20_000),
        "onnx-metadata": lambda: _onnx_metadata(folder / "b.onnx"),
        "engine-record": lambda: _engine_record(folder / "a.engine"),
        "labels-json": lambda: _json(folder / "a.json", _bdd_labels, [records.LABELS], 100_000),
        "labels-list": lambda: _json(folder / "list.json", _label_list, [records.LABEL_LIST], 60_000),
        "labels-txt": lambda: _file(folder / "a.txt", _yolo_labels, [b"0 0.5 0.5 0.1 0.2\n3 .1 .1 1e-3 1\n"], 150_000),
        "mask": lambda: _picture(folder / "mask.png", read_mask, grey=True),
        "image": lambda: _picture(folder / "a.jpg", _image, grey=False),
        "report": lambda: _json(folder / "report.json", schema.load, [records.REPORT], 50_000),
        "report-page": lambda: _json(folder / "page.json", _page, [records.REPORT], 5_000),
        "overlay-name": lambda: _overlay_name(folder),
        "reference": lambda: _json(folder / "reference.json", _reference, [records.METRICS, records.REPORT], 80_000),
        "costs": lambda: _json(folder / "costs.json", _costs, [records.TIMES], 100_000),
        "costs-report": lambda: _costs_report(folder / "profile.json"),
        "ablation-cell": lambda: _json(folder / "cell.json", _cell, [records.CELL, {**records.CELL, **_FAULT}], 50_000),
        "ablation-latency": lambda: _json(folder / "latency.json", _latency, [records.LATENCY], 50_000),
        "bundle": lambda: _json(folder / INDEX, _bundle, [records.BUNDLE], 100_000),
        "board": lambda: _board(folder / "board"),
    }


def warm_up(target: Target) -> None:
    """Let a reader import and set up what it only needs once, before it is watched."""
    # What zip archives name their members in.
    codecs.lookup("cp437")
    for seed in target.seeds:
        with suppress(InputError):
            target.read(seed)


def _file(path: Path, read: Callable[[Path], Any], seeds: list[bytes], runs: int) -> Target:
    """A reader of files."""

    def given(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return Target(given, seeds, runs)


def _json(path: Path, read: Callable[[Path], Any], contents: list[Any], runs: int) -> Target:
    return _file(path, read, [json.dumps(content).encode() for content in contents], runs)


def _checkpoint(path: Path) -> Target:
    checkpoint.save(path, _Tiny(), [{"stage": "train"}])
    return _file(path, checkpoint.load, [path.read_bytes()], 30_000)


def _config(path: Path) -> Target:
    """The header of a checkpoint of a known network, in a file that is otherwise sound; no weights are in it."""
    whole: dict[str, Any] = {"format": 1, "widths": {}, "spec": InputSpec(SIZE).to_json(), "history": []}
    yolop = {"network": "yolop", "config": {"width": 0.05, "size": SIZE, "resize": "stretch"}}
    rmt = {"network": "rmt-ppad", "config": {"width": 0.1, "depth": 0.2, "size": SIZE}}

    def read(data: bytes) -> None:
        try:
            text = data.decode()
        except ValueError:
            return
        checkpoint.write_tensors(path, {}, {"panoedge": text})
        checkpoint.load(path)

    return Target(read, [json.dumps({**whole, **kind}).encode() for kind in (yolop, rmt)], 20_000)


def _state(path: Path) -> Target:
    module = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    settings = {"epochs": 2}
    header = {"epoch": 1, "batches_done": 0, "left_out": 0, "scaler": {}, "settings": settings}
    save_state(path, module, module, optimizer, header)
    return _file(path, lambda path: load_state(path, module, module, optimizer, settings), [path.read_bytes()], 20_000)


def _weights() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).half()


_SHAPES = {name: tuple(tensor.shape) for name, tensor in _weights().state_dict().items()}


def _read_torch(path: Path) -> dict[str, Tensor]:
    """As an import does it, which knows the shapes it wants."""
    file = TorchFile.open(path)
    found = find_weights(file.content)
    found.check(_SHAPES)
    return file.tensors(found.views)


def _torch_file(path: Path) -> Target:
    seeds = []
    for content, zipped in (({"model": _weights()}, True), ({"state_dict": _weights().state_dict()}, False)):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        seeds.append(path.read_bytes())
    return _file(path, _read_torch, seeds, 20_000)


def _torch_pickle(path: Path) -> Target:
    """The pickle of an archive that is otherwise sound."""
    torch.save({"model": _weights(), "ema": _weights().state_dict(), "date": 1.5}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (pickle,) = [name for name in members if name.endswith("data.pkl")]

    def read(data: bytes) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, member in {**members, pickle: data}.items():
                archive.writestr(name, member)
        path.write_bytes(buffer.getvalue())
        _read_torch(path)

    return Target(read, [members[pickle]], 30_000)


def _onnx(path: Path) -> Target:
    return _file(path, read_deployed, [records.onnx_file()], 120_000)


def _onnx_metadata(path: Path) -> Target:
    def read(data: bytes) -> None:
        info = parse_deployed(path, data.decode("utf-8", "replace"))
        model_facts({"file": "a", "sha256": "b", "bytes": 1, "input": info.spec.to_json(), **asdict(info)})

    return Target(read, [json.dumps(records.DEPLOYED).encode()], 150_000)


def _engine_record(engine: Path) -> Target:
    """The record of an engine that is there, and what is made of it before TensorRT is asked."""
    engine.write_bytes(b"engine")
    (engine.parent / records.ENGINE["onnx"]).write_bytes(b"onnx")
    own = {"engine_sha256": hashlib.sha256(b"engine").hexdigest(), "onnx_sha256": hashlib.sha256(b"onnx").hexdigest()}

    def read(path: Path) -> None:
        facts_text(engine_facts(engine))
        record = read_record(engine)
        check_fits(engine, record, "10.3.0", Gpu("Orin", "8.7"))

    return _json(record_path(engine), read, [{**records.ENGINE, **own}, records.ENGINE], 100_000)


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
    return _file(path, read, _pictures(grey), 100_000)._replace(growth=50_000)


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
    network = _Tiny()
    layers = [{"name": "a", "room": "b", "ms": 1, "modules": ["conv"]}, {"name": "b", "room": "c", "ms": 2}]
    speed = {"network": {"ms": {"p50": 2.5}}}
    model = {"network": _Tiny.name, "parameters": 4, "profile": {"layers": layers}, "speed": speed}

    def read(path: Path) -> None:
        times = read_times(path, network)
        _must_be_finite(times.fixed + times.of("conv", ())(1, 2))

    return _json(path, read, [{"models": [model]}], 100_000)


_FAULT = {"fault": "out of reach"}
_TEACHER = Cell(TEACHER, 1.0, NONE, 0)


def _cell(path: Path) -> None:
    """The record of a cell beside that of the teacher."""
    rows([{**records.CELL, "cell": asdict(_TEACHER)}, known_record(path, Cell(**records.CELL["cell"]))], {})


def _latency(path: Path) -> None:
    known_shares(path, records.LATENCY["networks"])


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
