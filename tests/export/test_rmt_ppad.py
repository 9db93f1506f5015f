"""RMT-PPAD through the exporter: a transformer, gated adapters and a decoder that both masks share."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import onnx
import pytest
import torch

from export.engine import Options, build_engine
from export.lowering import Calibration, lowered
from export.onnx_writer import export_onnx, finished
from export.parity import compare
from perception import checkpoint
from perception.cost import cost
from perception.networks.rmt_ppad import RMTPPAD
from perception.onnx_metadata import read_deployed
from perception.synthetic import render

SIZE = (64, 96)


@pytest.fixture(scope="module")
def network() -> RMTPPAD:
    """Weights that keep the size of activations, and batch norms that have seen something."""
    network = RMTPPAD(width=0.25, depth=0.34, size=SIZE).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
                tensor.uniform_(0.5, 1.5, generator=random)
            elif tensor.dim() > 1:
                tensor.normal_(0, math.sqrt(1.5 / tensor[0].numel()), generator=random)
            elif tensor.is_floating_point():
                tensor.normal_(0, 0.1, generator=random)
    return network


@pytest.fixture(scope="module")
def files(network: RMTPPAD, tmp_path_factory) -> dict[str, Path]:
    """Exported by precision; that file and network agree within the usual limits is part of exporting."""
    source = tmp_path_factory.mktemp("rmt-ppad") / "tiny.safetensors"
    checkpoint.save(source, network, [])
    paths = {}
    for precision in ("fp32", "fp16"):
        paths[precision] = source.with_name(f"{precision}.onnx")
        deployed = export_onnx(source, paths[precision], precision)
        assert (deployed.parameters, deployed.macs) == (cost(network).parameters, cost(network).macs)
        assert deployed.spec.resize == "stretch" and not deployed.spec.needs_nms
    return paths


def operators(file: Path) -> Counter:
    return Counter(node.op_type for node in onnx.load(file).graph.node)


def test_file_and_network_see_the_same(network, files):
    measures = {measure.name: measure.value for measure in compare(network, files["fp32"]).measures}
    assert measures["boxes, px"] < 1e-3 * min(SIZE) and measures["scores"] < 1e-4
    assert all(value <= 0.1 for name, value in measures.items() if name.endswith("off by more than 1"))
    assert all(measures[f"{task}, levels of 255"] <= 1 for task in ("drivable", "lane"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_graph_is_plain(files, precision):
    found = operators(files[precision])
    # Both masks are one batch on their way up, and nothing is computed at a size that is not needed.
    assert found["ConvTranspose"] == 3 and found["Resize"] == 4
    assert found["TopK"] == 1 and "NonMaxSuppression" not in found and "BatchNormalization" not in found
    model = onnx.load(files[precision])
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.value_info}
    for node in model.graph.node:
        if node.op_type == "GridSample":
            assert len(shapes[node.output[0]]) == 4
        if node.op_type in ("Conv", "ConvTranspose"):
            assert shapes[node.output[0]][2] <= SIZE[0] and shapes[node.output[0]][3] <= SIZE[1]


@pytest.mark.parametrize("capability", [None, "8.6"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nvidias_parser_and_builder_accept_it(files, tmp_path, precision, capability):
    pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    out = tmp_path / "tiny.engine"
    build_engine(files[precision], out, Options(library="tensorrt-rtx", compute_capability=capability))
    assert out.stat().st_size > 100_000


def test_they_accept_it_in_int8_too(network, files, tmp_path):
    pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    cv2.imwrite(str(tmp_path / "scene.png"), render(0, SIZE).image[..., ::-1])
    model, _ = next(lowered(onnx.load(files["fp32"]), "int8", network.spec, Calibration(images=tmp_path)))
    deployed = replace(read_deployed(files["fp32"]), precision="int8")
    onnx.save(finished(model, deployed), tmp_path / "int8.onnx")
    for capability in (None, "8.6"):
        options = Options(library="tensorrt-rtx", compute_capability=capability)
        record = build_engine(tmp_path / "int8.onnx", tmp_path / "tiny.engine", options)
        assert (record.deployed.precision, record.source.compute_capability) == ("int8", capability)
    assert operators(tmp_path / "int8.onnx")["QuantizeLinear"] > 10
