import collections
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.numpy_helper import to_array

from export import operators
from export.onnx_writer import export_onnx
from export.session import open_session
from perception.cost import cost
from perception.errors import GateFailed, InputError
from perception.spec import ONNX_METADATA_KEY, Deployed
from perception.tasks import MASK_TASKS

ROOT = Path(__file__).parents[2]
UINT8, FLOAT, HALF = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
# What the deploy form of YOLOP needs; anything else, such as Shape, If or Loop, is a leftover of the tracer.
OPERATORS = {
    "Add", "Cast", "Concat", "Conv", "DepthToSpace", "Div", "Expand", "Gather", "GatherElements", "HardSwish",
    "LeakyRelu", "MaxPool", "Mul", "Pow", "ReduceMean", "Reshape", "Resize", "Sigmoid", "Slice", "Sub", "TopK",
    "Transpose", "Unsqueeze",
}  # fmt: skip


@pytest.fixture(params=["fp32", "fp16"])
def model(request, files) -> onnx.ModelProto:
    return onnx.load(files[request.param])


def _types(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {constant.name: constant.data_type for constant in model.graph.initializer}


def test_inputs_outputs_and_versions_are_as_agreed(model):
    found = {
        value.name: (value.type.tensor_type.elem_type, [side.dim_value for side in value.type.tensor_type.shape.dim])
        for value in (*model.graph.input, *model.graph.output)
    }
    assert found == {
        "image": (UINT8, [1, 64, 96, 3]),
        "boxes": (FLOAT, [1, 378, 4]),
        "scores": (FLOAT, [1, 378]),
        "drivable": (UINT8, [1, 64, 96]),
        "drivable_mean": (FLOAT, [1]),
        "lane": (UINT8, [1, 64, 96]),
        "lane_mean": (FLOAT, [1]),
    }
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version <= 10  # TensorRT 10.3 reads no newer one
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def test_bytes_are_cast_first_and_last_only(model):
    types = _types(model)
    touching = [n for n in model.graph.node if UINT8 in {types.get(v) for v in (*n.input, *n.output)}]
    assert [(n.op_type, n.input[0] if i == 0 else n.output[0]) for i, n in enumerate(touching)] == [
        ("Cast", "image"), ("Cast", "drivable"), ("Cast", "lane"),
    ]  # fmt: skip
    assert model.graph.node[0] == touching[0]


def test_graph_is_clean(model):
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    constants = [(tuple(c.dims), c.data_type, to_array(c).tobytes()) for c in model.graph.initializer]
    assert len(set(constants)) == len(constants)
    names = {name for node in model.graph.node for name in node.input}
    assert all(constant.name in names for constant in model.graph.initializer)


def test_no_path_or_trace_is_left_inside(model):
    written = model.SerializeToString()
    for leftover in (str(ROOT), str(Path.home()), ".py", "site-packages", "namespace", "fx_node"):
        assert leftover.encode() not in written


def test_fp16_is_half_the_size_with_casts_at_the_borders_only(files):
    assert files["fp16"].stat().st_size < 0.6 * files["fp32"].stat().st_size
    model = onnx.load(files["fp16"])
    types = _types(model)
    casts = collections.Counter(
        (types[n.input[0]], types[n.output[0]]) for n in model.graph.node if n.op_type == "Cast"
    )
    assert casts == {(UINT8, HALF): 1, (HALF, FLOAT): 5, (HALF, UINT8): 2}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert all(types[name] == HALF for node in convolutions for name in (*node.input, *node.output))
    decoding = {n.op_type for n in model.graph.node if types[n.output[0]] == FLOAT}
    assert {"Sigmoid", "Pow", "TopK", "GatherElements"} <= decoding


def test_metadata_says_what_the_file_is(files, source, network):
    for precision, path in files.items():
        (entry,) = onnx.load(path).metadata_props
        assert entry.key == ONNX_METADATA_KEY
        deployed = Deployed.from_json(json.loads(entry.value))
        costs = cost(network)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        assert deployed == Deployed("yolop", network.spec, precision, costs.parameters, costs.macs, digest)


def test_another_process_writes_the_same_bytes_and_leaves_no_noise(files, source, tmp_path):
    out = tmp_path / "again.onnx"
    run = subprocess.run(
        [sys.executable, "-m", "export", "onnx", source, "--out", out, "--precision", "fp16"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert all(line.startswith("calibrate fp16") for line in run.stderr.splitlines())
    assert f"{out}: yolop in FP16, input 64x96" in run.stdout
    assert out.read_bytes() == files["fp16"].read_bytes()


def test_a_file_that_disagrees_is_not_written(source, tmp_path, traced_before):
    seen = []

    def disagree(network, file):
        seen.append(file.read_bytes())
        raise GateFailed("it differs")

    out = tmp_path / "out" / "file.onnx"
    with pytest.raises(GateFailed, match=r"file\.onnx: not written, it differs"):
        export_onnx(source, out, agree=disagree)
    assert len(seen[0]) > 100_000
    assert list(out.parent.iterdir()) == []


def test_what_tensorrt_cannot_build_is_not_written(source, tmp_path, traced_before, monkeypatch):
    monkeypatch.setattr(operators, "MOST_CANDIDATES", 10)
    with pytest.raises(InputError, match=r"yolop: TensorRT 10\.3 cannot build TopK detection/.* 10 at most"):
        export_onnx(source, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_refused_before_any_work(source, tmp_path):
    out = tmp_path / "x.onnx"
    pickle = tmp_path / "authors.pth"
    torch.save({"state_dict": {}}, pickle)
    with pytest.raises(InputError, match=r"authors\.pth: .*a pickle"):
        export_onnx(pickle, out)
    with pytest.raises(InputError, match=r"missing\.safetensors: cannot be read"):
        export_onnx(tmp_path / "missing.safetensors", out)
    with pytest.raises(InputError, match="100x96"):
        export_onnx(source, out, size=(100, 96))
    with pytest.raises(InputError, match="batch 0"):
        export_onnx(source, out, batch=0)
    with pytest.raises(InputError, match="is a folder"):
        export_onnx(source, tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        export_onnx(source, source / "below" / "x.onnx")
    assert not out.exists()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("task", MASK_TASKS)
def test_a_mask_that_is_not_finite_shows_in_its_mean(files, tmp_path, precision, task):
    model = onnx.load(files[precision])
    last = [node for node in model.graph.node if node.op_type == "Conv" and node.name.startswith(f"{task}/")][-1]
    bias = next(constant for constant in model.graph.initializer if constant.name == last.input[2])
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full_like(to_array(bias), np.nan), bias.name))
    onnx.save(model, tmp_path / "overflown.onnx")
    outputs = open_session(tmp_path / "overflown.onnx").infer(np.full((1, 64, 96, 3), 90, np.uint8))
    (other,) = set(MASK_TASKS) - {task}
    assert np.isnan(getattr(outputs, f"{task}_mean")).all()
    assert getattr(outputs, f"{other}_mean") == pytest.approx(getattr(outputs, other).mean() / 255, abs=1 / 255)
