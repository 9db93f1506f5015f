from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from export.engine import Options, build_engine
from export.int8 import quantise
from export.lowering import Calibration, lowered
from export.onnx_writer import finished
from export.parity import compare
from export.session import open_session
from perception.geometry import fit
from perception.onnx_metadata import read_deployed
from perception.synthetic import render
from perception.tasks import TASKS, output_names

SCENES = 6


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(SCENES):
        cv2.imwrite(str(folder / f"{seed}.png"), render(seed, (64, 96)).image[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def file(network, files, pictures) -> Path:
    deployed = replace(read_deployed(files["fp32"]), precision="int8")
    model, _ = next(lowered(onnx.load(files["fp32"]), "int8", network.spec, Calibration(images=pictures)))
    out = files["fp32"].with_name("int8.onnx")
    onnx.save(finished(model, deployed), out)
    return out


@pytest.fixture(scope="module")
def graph(file) -> onnx.GraphProto:
    return onnx.load(file).graph


def test_convolutions_are_in_8_bits_except_the_last(graph):
    makers = {output: node for node in graph.node for output in node.output}
    quantised, left = [], set()
    for node in graph.node:
        if node.op_type == "Conv":
            if node.input[1] in makers:
                quantised.append(node)
            else:
                left.add(node.input[1].partition(".weight")[0])
    assert len(quantised) == 97
    assert all(makers[name].op_type == "DequantizeLinear" for node in quantised for name in node.input[:2])
    heads = {f"network.model.24.m.{index}" for index in range(3)}
    assert left == heads | {f"network.model.{index}.conv" for index in (33, 42)}


def test_scales_are_as_tensorrt_wants_them(graph):
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = constants[node.input[1]], constants[node.input[2]]
            assert scale.dtype == np.float32 and (scale > 0).all()
            assert zero.dtype == np.int8 and not zero.any()
            if node.input[0] in constants:
                assert scale.shape == constants[node.input[0]].shape[:1]  # one for each output channel
            else:
                assert scale.shape == ()


def test_bytes_stay_at_the_border_and_the_rest_is_fp16_or_decoding(graph):
    kinds = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    assert onnx.TensorProto.UINT8 not in kinds.values()
    assert [value.name for value in graph.output] == list(output_names(TASKS))
    last = {node.output[0] for node in graph.node if node.op_type == "Conv" and "model.42." in node.input[1]}
    assert {kinds[name] for name in last} == {onnx.TensorProto.FLOAT16}


def test_it_sees_about_the_same(file, files):
    image = fit((360, 640), (64, 96), "letterbox").image(render(99).image)[None]
    expected, found = (open_session(path).infer(image) for path in (files["fp32"], file))
    difference = np.abs(expected.lane.astype(int) - found.lane)
    assert 0 < difference.mean() < 12
    np.testing.assert_allclose(np.sort(found.scores), np.sort(expected.scores), atol=0.1)


def test_network_and_file_agree_as_far_as_8_bits_do(network, file):
    compare(network, file).require()


def test_pictures_decide_the_scales_and_the_graph_that_is_given_stays():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]>'
        "net (uint8[1, 3, 4, 4] image) => (uint8[1, 3, 4, 4] mask) "
        "{ x = Cast <to = 1> (image) y = Conv (x, w) z = Conv (y, w) mask = Cast <to = 2> (z) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((3, 3, 1, 1), 0.25, np.float32), "w"))
    for index, node in enumerate(model.graph.node):
        node.name = f"node{index}"
    before = model.SerializeToString()
    for levels in ((50,), (50, 200), (200, 50)):
        quantised = quantise(model, [np.full((1, 3, 4, 4), level, np.uint8) for level in levels])
        (scale,) = (c for c in quantised.graph.initializer if c.name == "x_scale")
        assert onnx.numpy_helper.to_array(scale) == pytest.approx(max(levels) / 127, rel=0.01)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("capability", [None, "8.6"])
def test_nvidias_parser_and_builder_accept_it(file, tmp_path, capability):
    pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    out = tmp_path / "int8.engine"
    record = build_engine(file, out, Options(library="tensorrt-rtx", compute_capability=capability))
    assert record.deployed.precision == "int8"
    assert out.stat().st_size > 100_000
