"""Readers of what holds a network: checkpoints, unfinished trainings, foreign weights, exported files and engines."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress.state import load_state, save_state
from fuzz import records
from fuzz.target import SIZE, Target, of_file, of_json
from perception import checkpoint
from perception.engine_file import read_record, record_path
from perception.foreign import TorchFile, find_weights
from perception.gpu import Gpu
from perception.networks import register
from perception.networks.base import Network
from perception.onnx_metadata import parse_deployed, read_deployed
from perception.spec import InputSpec
from runtime.backends.engine_fit import check_fits
from runtime.engine_info import engine_facts
from runtime.text import facts_text, model_facts


@register
class Tiny(Network):
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


def checkpoint_target(path: Path) -> Target:
    checkpoint.save(path, Tiny(), [{"stage": "train"}])
    return of_file(path, checkpoint.load, [path.read_bytes()], 30_000)


def config_target(path: Path) -> Target:
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


def state_target(path: Path) -> Target:
    module = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    settings = {"epochs": 2}
    header = {"epoch": 1, "batches_done": 0, "left_out": 0, "scaler": {}, "settings": settings}
    save_state(path, module, module, optimizer, header)
    return of_file(
        path, lambda path: load_state(path, module, module, optimizer, settings, {}), [path.read_bytes()], 20_000
    )


def _weights() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).half()


_SHAPES = {name: tuple(tensor.shape) for name, tensor in _weights().state_dict().items()}


def _read_torch(path: Path) -> dict[str, Tensor]:
    """As an import does it, which knows the shapes it wants."""
    file = TorchFile.open(path)
    found = find_weights(file.content)
    found.check(_SHAPES)
    return file.tensors(found.views)


def torch_file_target(path: Path) -> Target:
    seeds = []
    for content, zipped in (({"model": _weights()}, True), ({"state_dict": _weights().state_dict()}, False)):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        seeds.append(path.read_bytes())
    return of_file(path, _read_torch, seeds, 20_000)


def torch_pickle_target(path: Path) -> Target:
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


def onnx_target(path: Path) -> Target:
    return of_file(path, read_deployed, [records.onnx_file()], 120_000)


def onnx_metadata_target(path: Path) -> Target:
    def read(data: bytes) -> None:
        info = parse_deployed(path, data.decode("utf-8", "replace"))
        model_facts({"file": "a", "sha256": "b", "bytes": 1, "input": info.spec.to_json(), **asdict(info)})

    return Target(read, [json.dumps(records.DEPLOYED).encode()], 150_000)


def engine_record_target(engine: Path) -> Target:
    """The record of an engine that is there, and what is made of it before TensorRT is asked."""
    engine.write_bytes(b"engine")
    (engine.parent / records.ENGINE["onnx"]).write_bytes(b"onnx")
    own = {"engine_sha256": hashlib.sha256(b"engine").hexdigest(), "onnx_sha256": hashlib.sha256(b"onnx").hexdigest()}

    def read(path: Path) -> None:
        facts_text(engine_facts(engine))
        record = read_record(engine)
        check_fits(engine, record, "10.3.0", Gpu("Orin", "8.7", 16))

    return of_json(record_path(engine), read, [{**records.ENGINE, **own}, records.ENGINE], 100_000)
