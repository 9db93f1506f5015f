"""NVIDIA's parser and ahead-of-time builder on what pruning and coarsening leave, in every precision.

Networks as they are defined go through it in ``tests/export``; ``test_engine.py`` there says what that shows.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import onnx
import pytest
import torch

from compress.coarsen import coarsened
from compress.latency import slimmed
from export.engine import Options, build_engine
from export.layer_bundle import layer_model
from export.lowering import Calibration, lowered
from export.onnx_writer import finished, trace
from perception.layer_times import Kind, Layer
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP
from perception.spec import PRECISIONS, Deployed
from perception.synthetic import render

pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
SIZE = (64, 96)
TARGETS = (None, "8.6")
NETWORKS: dict[str, Callable[[], Network]] = {
    "yolop": lambda: coarsened(slimmed(YOLOP(width=0.25, size=SIZE).eval(), 0.6), mask_stride=4),
    "rmt-ppad": lambda: coarsened(slimmed(RMTPPAD(width=0.25, depth=0.34, size=SIZE).eval(), 0.6), 2, queries=50),
}
CONV = Kind("conv", (16, 24), (3, 3), (1, 1), (1, 1))
LAYERS = {
    "conv": Layer(CONV, 8, 16),
    "depthwise": Layer(Kind("depthwise", (16, 24), (5, 5), (1, 1), (2, 2)), 1, 16),
    "transposed": Layer(Kind("transposed", (16, 24), (4, 4), (2, 2), (1, 1)), 8, 16),
    "upsampled": Layer(Kind("upsampled", (16, 24), (3, 3), (1, 1), (1, 1)), 8, 2),
    "linear": Layer(Kind("linear", (10, 1)), 8, 16),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(4):
        cv2.imwrite(str(folder / f"{seed}.png"), render(seed, SIZE).image[..., ::-1])
    return folder


@pytest.fixture(scope="module", params=NETWORKS)
def files(request, pictures, tmp_path_factory) -> dict[str, Path]:
    """One network's files by precision."""
    torch.manual_seed(0)
    network = NETWORKS[request.param]()
    plain, folder = trace(network), tmp_path_factory.mktemp(request.param)
    paths = {}
    for precision in PRECISIONS:
        model, _ = next(lowered(plain, precision, network.spec, Calibration(images=pictures)))
        paths[precision] = folder / f"{precision}.onnx"
        onnx.save(finished(model, Deployed(network.name, network.spec, precision, 1, 1, "")), paths[precision])
    return paths


@pytest.mark.parametrize("capability", TARGETS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_pruned_and_coarsened_networks_are_built(files, tmp_path, precision, capability):
    record = build_engine(files[precision], tmp_path / "x.engine", Options("tensorrt-rtx", capability))
    assert (record.deployed.precision, record.source.compute_capability) == (precision, capability)
    shapes = {tensor.name: tensor.shape for tensor in record.tensors}
    assert (shapes["image"], shapes["lane"]) == ((1, *SIZE, 3), (1, *SIZE))


@pytest.mark.parametrize("capability", TARGETS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("layer", LAYERS)
def test_single_layers_are_built(tmp_path, layer, precision, capability):
    onnx.save(layer_model(LAYERS[layer], precision), tmp_path / "x.onnx")
    record = build_engine(tmp_path / "x.onnx", tmp_path / "x.engine", Options("tensorrt-rtx", capability))
    assert {tensor.type for tensor in record.tensors} == {{"fp32": "float32", "fp16": "float16"}[precision]}
