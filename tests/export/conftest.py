"""A tiny YOLOP with weights that mean nothing and outputs that are not degenerate, as a checkpoint and exported."""

import math
from pathlib import Path

import onnx
import pytest
import torch

from export import onnx_writer
from export.onnx_writer import export_onnx
from perception import checkpoint
from perception.networks.yolop import YOLOP


def tiny_network(seed: int = 0) -> YOLOP:
    """Weights that keep the size of activations, and batch norms that have seen something."""
    network = YOLOP(width=0.25, size=(64, 96)).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if tensor.dim() > 1:
                tensor.normal_(0, math.sqrt(1.5 / tensor[0].numel()), generator=random)
            elif name.endswith("weight"):
                tensor.uniform_(0.5, 1.5, generator=random)
            else:
                tensor.normal_(0, 0.1, generator=random)
        for name, tensor in network.named_buffers():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.1, generator=random)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5, generator=random)
        # Else masks would span three levels of 255 and scores a tenth.
        for head in (network.model[33].bn, network.model[42].bn, *network.model[24].m):
            head.weight.mul_(8)
    return network


@pytest.fixture(scope="session")
def network() -> YOLOP:
    return tiny_network()


@pytest.fixture(scope="session")
def source(network: YOLOP, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("export") / "tiny.safetensors"
    checkpoint.save(path, network, [])
    return path


@pytest.fixture(scope="session")
def files(source: Path) -> dict[str, Path]:
    """The exported files by precision; exporting includes the comparison on generated scenes."""
    paths = {precision: source.with_name(f"{precision}.onnx") for precision in ("fp32", "fp16")}
    export_onnx(source, paths["fp32"])
    with pytest.MonkeyPatch.context() as patch:  # tracing takes seconds
        patch.setattr(onnx_writer, "trace", lambda network, batch: onnx.load(paths["fp32"]))
        export_onnx(source, paths["fp16"], "fp16")
    return paths


@pytest.fixture
def traced_before(files: dict[str, Path], monkeypatch) -> None:
    """Saves the seconds of tracing where a test is about what comes after it."""
    monkeypatch.setattr(onnx_writer, "trace", lambda network, batch: onnx.load(files["fp32"]))
