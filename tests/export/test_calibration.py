from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from export.calibration import MARGIN, Loss, find_lossy, find_named, measure
from export.graph import tidy
from export.lowering import BOUNDS
from export.precision import to_fp16
from export.session import _with_stored_values
from perception.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 3, 4, 4), np.uint8)
BOUND = BOUNDS[0]


def _model(body: str, **constants: np.ndarray | float) -> onnx.ModelProto:
    """A network from bytes to bytes, as a mask is."""
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]>'
        f"net (uint8[1, 3, 4, 4] image) => (uint8[1, 3, 4, 4] mask) {{ x = Cast <to = 1> (image) {body} }}"
    )
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}{index}"
    for name, value in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), name))
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _filter(value: float) -> np.ndarray:
    """Weights of a convolution that multiplies."""
    return np.full((3, 1, 1, 1), value, np.float32)


def _run(model: onnx.ModelProto) -> np.ndarray:
    """The mask, every FP16 value stored."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    stored = _with_stored_values(ir.from_proto(model))
    session = onnxruntime.InferenceSession(stored, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": IMAGE})[0]


def _converted(model: onnx.ModelProto, lossy: Mapping[str, str]) -> onnx.ModelProto:
    typed = ir.from_proto(model)
    to_fp16(typed, lossy)
    return tidy(typed)


def _found(model: onnx.ModelProto) -> dict[str, str]:
    return find_lossy(ir.from_proto(model).graph, measure(model, [IMAGE]), BOUND)


# Each multiplies by something and takes it back.
_OVERFLOW = _model(
    "up = Conv <group = 3> (x, large) active = Relu (up) down = Conv <group = 3> (active, small) "
    "mask = Cast <to = 2> (down)",
    large=_filter(3000),
    small=_filter(1 / 3000),
)
_UNDERFLOW = _model(
    "down = Mul (x, small) less = Mul (down, small) more = Div (less, small) "
    "up = Div (more, small) mask = Cast <to = 2> (up)",
    small=1e-5,
)
_CANCELLATION = _model(
    "far = Add (x, distance) near = Sub (far, distance) mask = Cast <to = 2> (near)", distance=10000.5
)
_LARGE_WEIGHT = _model("up = Mul (x, large) down = Div (up, large) mask = Cast <to = 2> (down)", large=1e6)


@pytest.mark.parametrize("model", [_OVERFLOW, _UNDERFLOW, _CANCELLATION, _LARGE_WEIGHT])
def test_what_fp16_loses_is_found_and_kept(model):
    exact = _run(model).astype(int)
    np.testing.assert_allclose(exact, IMAGE, atol=1)
    naive = _run(_converted(model, {})).astype(int)
    assert np.abs(naive - exact).max() > 1
    careful = _run(_converted(model, _found(model))).astype(int)
    np.testing.assert_allclose(careful, exact, atol=1)


def test_the_reason_is_named():
    found = _found(_OVERFLOW)
    assert found["up"] == f"reaches {3000.0 * IMAGE.max():.3g}"
    assert found["active"].startswith("reaches")
    assert found["down"].startswith("loses")
    assert _found(_LARGE_WEIGHT)["up"].startswith("reaches")
    assert _found(_CANCELLATION)["near"].startswith("loses")


def test_nothing_is_found_where_nothing_is_lost():
    model = _model("y = Conv <group = 3> (x, w) z = Relu (y) mask = Cast <to = 2> (z)", w=_filter(0.7))
    assert _found(model) == {}


def test_measures():
    model = _model("y = Mul (x, w) mask = Cast <to = 2> (y)", w=1.0001)
    losses = measure(model, [IMAGE, IMAGE // 2])
    assert losses.keys() == {"x", "y"}
    assert losses["x"] == Loss(IMAGE.max(), 0)
    # The weight becomes 1.
    assert losses["y"].error == pytest.approx(1e-4 / 1.0001, rel=1e-2)
    assert losses["y"].peak == pytest.approx(1.0001 * IMAGE.max())


def test_a_margin_is_left_to_what_fp16_holds():
    graph = ir.from_proto(_model("y = Mul (x, w) mask = Cast <to = 2> (y)", w=1.0)).graph
    sound = Loss(65504 / MARGIN, 1e-4)
    assert find_lossy(graph, {"x": sound, "y": sound}, BOUND) == {}
    assert find_lossy(graph, {"x": sound, "y": Loss(65505 / MARGIN, 0)}, BOUND).keys() == {"y", "mask"}
    assert find_lossy(graph, {"x": Loss(np.inf, 0), "y": sound}, BOUND).keys() == {"x", "y"}
    assert find_lossy(graph, {"x": sound, "y": Loss(1, np.nan)}, BOUND).keys() == {"x", "y"}


def test_nodes_by_name():
    graph = ir.from_proto(_OVERFLOW).graph
    assert find_named(graph, ["Conv1"]) == {"up": "asked for by Conv1"}
    assert find_named(graph, ["Conv*", "Relu?"]).keys() == {"up", "down", "active"}
    assert find_named(graph, ["sma*"]).keys() == {"down"}
    with pytest.raises(InputError, match=r"--fp32-nodes Gemm\*: no node"):
        find_named(graph, ["Conv1", "Gemm*"])
