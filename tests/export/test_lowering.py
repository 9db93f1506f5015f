from pathlib import Path

import onnx
import pytest

from export import lowering
from export.calibration import Loss
from export.lowering import BOUNDS, Calibration, describe, lowered
from export.onnx_writer import export_onnx
from export.precision import Kept
from perception.errors import GateFailed, InputError


@pytest.fixture
def plain(files) -> onnx.ModelProto:
    return onnx.load(files["fp32"])


def _precisions(model: onnx.ModelProto) -> set[int]:
    return {value.type.tensor_type.elem_type for value in model.graph.value_info}


def test_fp32_is_what_it_was(plain, network):
    assert list(lowered(plain, "fp32", network.spec, Calibration())) == [(plain, [])]


def test_a_sound_network_has_one_candidate(plain, network):
    ((model, kept),) = lowered(plain, "fp16", network.spec, Calibration())
    assert onnx.TensorProto.FLOAT16 in _precisions(model)
    assert {node.why for node in kept} == {"decoding of boxes", "sums of many values"}


def test_named_nodes_take_the_place_of_those_found(plain, network, monkeypatch):
    monkeypatch.setattr(lowering, "measure", None)  # must not be called
    ((_, kept),) = lowered(plain, "fp16", network.spec, Calibration(fp32_nodes=("*model.0.*",)))
    assert [node.operator for node in kept if "asked for" in node.why] == ["Conv", "HardSwish"]
    with pytest.raises(InputError, match="no node"):
        list(lowered(plain, "fp16", network.spec, Calibration(fp32_nodes=("*model.99.*",))))


def test_named_convolutions_are_not_quantised(plain, network, photographs):
    calibration = Calibration(images=photographs, fp32_nodes=("*model.0.*",))
    ((model, kept),) = lowered(plain, "int8", network.spec, calibration)
    (first,) = (node for node in model.graph.node if "network.model.0.conv.conv.weight" in node.input)
    assert first.op_type == "Conv"
    assert [node.operator for node in kept if "asked for" in node.why] == ["Conv", "HardSwish"]


def _losing(plain: onnx.ModelProto, *errors: float) -> dict[str, Loss]:
    """As if the first convolutions lost so much."""
    convolutions = [node.output[0] for node in plain.graph.node if node.op_type == "Conv"]
    return {name: Loss(1, error) for name, error in zip(convolutions, errors, strict=False)}


def test_each_candidate_is_more_careful(plain, network, monkeypatch):
    monkeypatch.setattr(lowering, "measure", lambda model, batches: _losing(plain, 0.05, 0.005))
    first, second = (kept for _, kept in lowered(plain, "fp16", network.spec, Calibration()))
    assert {node.node for node in first} < {node.node for node in second}
    assert [node.why for node in second if "loses" in node.why] == [
        "loses 5.00% to rounding",
        "loses 0.50% to rounding",
    ]


def test_what_disagrees_is_tried_again_until_nothing_is_left(source, tmp_path, traced_before, plain, monkeypatch):
    monkeypatch.setattr(lowering, "measure", lambda model, batches: _losing(plain, *BOUNDS))
    out, told, seen = tmp_path / "x.onnx", [], []

    def agree(network, file: Path) -> None:
        seen.append(file.read_bytes())
        if len(seen) < 2:
            raise GateFailed("too far off")

    export_onnx(source, out, "fp16", agree=agree, tell=told.append)
    assert len(seen) == 2 and out.read_bytes() == seen[1] != seen[0]
    assert "again with more nodes in FP32: too far off" in told

    def never(network, file: Path) -> None:
        raise GateFailed("too far off")

    with pytest.raises(GateFailed, match="not written, too far off"):
        export_onnx(source, tmp_path / "y.onnx", "fp16", agree=never)
    assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]


def test_what_does_not_go_together():
    Calibration(fp32_nodes=("x",)).check("fp16")
    Calibration(data=Path("somewhere")).check("int8")
    with pytest.raises(InputError, match="int8: needs pictures"):
        Calibration(fp32_nodes=("x",)).check("int8")
    with pytest.raises(InputError, match="--fp32-nodes: goes with"):
        Calibration(fp32_nodes=("x",)).check("fp32")


def test_reasons_in_columns():
    kept = [Kept(f"s{index}", "Softmax", "softmax") for index in range(5)]
    kept += [Kept("c", "Conv", "reaches 1e+06"), Kept("q", "QuantizeLinear", "in 8 bits")]
    assert describe(kept).splitlines() == [
        "nodes  not in FP16",
        "    5  softmax: Softmax s0, Softmax s1, Softmax s2, ...",
        "    1  reaches 1e+06: Conv c",
    ]
