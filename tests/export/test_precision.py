import numpy as np
import onnx
import onnx_ir as ir
import pytest

from export.graph import tidy
from export.precision import to_fp16

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
# Attention with a mask, an upsampling, a mask output, and boxes decoded behind the last product.
_TEXT = """
<ir_version: 10, opset_import: ["" : 18]>
net (uint8[1, 3, 4, 4] image) => (float[1, 3, 16] boxes, uint8[1, 3, 8, 8] mask)
{
    x = Cast <to = 1> (image)
    y = Conv (x, weight, bias)
    tokens = Reshape (y, shape)
    keys = Transpose <perm = [0, 2, 1]> (tokens)
    products = MatMul (tokens, keys)
    masked = Add (products, hidden)
    attention = Softmax (masked)
    attended = MatMul (attention, tokens)
    probability = Sigmoid (attended)
    shifted = Add (probability, grid)
    boxes = Mul (shifted, stride)
    large = Resize <mode = "nearest"> (y, , scales)
    mask = Cast <to = 2> (large)
}
"""
_CONSTANTS = {
    "weight": np.full((3, 3, 1, 1), 1e6, np.float32),
    "bias": np.array([0.1, 1e-3, -1e9], np.float32),
    "shape": np.array([1, 3, 16], np.int64),
    "hidden": np.array([[0, 0, -np.inf]], np.float32),
    "grid": np.linspace(0, 600.25, 16, dtype=np.float32),
    "stride": np.array(32, np.float32),
    "scales": np.array([1, 1, 2, 2], np.float32),
}


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    model = onnx.parser.parse_model(_TEXT)
    for name, values in _CONSTANTS.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    typed = ir.from_proto(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    to_fp16(typed)
    converted = tidy(typed)
    onnx.checker.check_model(converted, full_check=True)
    return converted.graph


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    """Element type of every value."""
    values = (*graph.input, *graph.output, *graph.value_info)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {constant.name: constant.data_type for constant in graph.initializer}


def test_only_softmax_and_decoding_stay_fp32(graph):
    types = _types(graph)
    wide = {node.op_type for node in graph.node for name in node.output if types[name] == FLOAT} - {"Cast"}
    assert wide == {"Softmax", "Sigmoid", "Add", "Mul"}
    halves = [node.op_type for node in graph.node if types[node.output[0]] == HALF and node.op_type != "Cast"]
    assert halves == ["Conv", "Reshape", "Transpose", "MatMul", "Add", "MatMul", "Resize"]


def test_casts_stand_at_the_borders_only(graph):
    types = _types(graph)
    casts = [(types[node.input[0]], types[node.output[0]]) for node in graph.node if node.op_type == "Cast"]
    bytes_ = onnx.TensorProto.UINT8
    assert sorted(casts) == sorted([(bytes_, HALF), (HALF, FLOAT), (FLOAT, HALF), (HALF, FLOAT), (HALF, bytes_)])


def test_what_the_standard_wants_in_fp32_stays(graph):
    assert _types(graph)["scales"] == FLOAT


def test_constants_are_rounded_once_and_kept_finite_or_infinite(graph):
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    assert np.all(constants["weight/float16"] == 65504)
    np.testing.assert_array_equal(constants["bias/float16"], np.array([0.1, 1e-3, -65504], np.float16))
    assert np.isneginf(constants["hidden/float16"]).sum() == 1
    np.testing.assert_array_equal(constants["grid"], _CONSTANTS["grid"])


def _convert(body: str, **constants: np.ndarray) -> tuple[dict[str, str], onnx.GraphProto]:
    """Why each node stays FP32, and the graph in FP16, of a network from bytes to bytes."""
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]>'
        f"net (uint8[1, 2, 4, 4] image) => (uint8[1, 2, 4, 4] mask) {{ {body} }}"
    )
    for node in model.graph.node:
        node.name = node.output[0]
    for name, values in constants.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    typed = ir.from_proto(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    kept = to_fp16(typed)
    converted = tidy(typed)
    onnx.checker.check_model(converted, full_check=True)
    return {node.node: node.why for node in kept}, converted.graph


def _casts(graph: onnx.GraphProto) -> int:
    return sum(node.op_type == "Cast" for node in graph.node)


_WEIGHT = np.eye(2, dtype=np.float32)[..., None, None]


@pytest.mark.parametrize(
    ("node", "why"),
    [
        ("BatchNormalization (a, ones, ones, ones, ones)", "normalisation"),
        ("InstanceNormalization (a, ones, ones)", "normalisation"),
        ("LayerNormalization <axis = 1> (a, all)", "normalisation"),
        ("Softmax (a)", "softmax"),
        ("LogSoftmax (a)", "softmax"),
        ("Exp (a)", "powers"),
        ("Log (a)", "powers"),
        ("Pow (a, two)", "powers"),
        ("ReduceL2 (a, axes)", "sums of many values"),
        ("ReduceMean (a, axes)", "sums of many values"),
        ("ReduceSum (a, axes)", "sums of many values"),
    ],
)
def test_what_adds_up_or_exponentiates_stays_fp32(node, why):
    constants = {
        "ones": np.ones(2, np.float32),
        "all": np.ones((2, 4, 4), np.float32),
        "two": np.float32(2),
        "axes": np.int64([2]),
    }
    kept, _ = _convert(
        f"x = Cast <to = 1> (image) a = Conv (x, w) b = {node} c = Expand (b, shape) d = Conv (c, w) "
        "mask = Cast <to = 2> (d)",
        w=_WEIGHT,
        shape=np.int64([1, 2, 4, 4]),
        **{name: values for name, values in constants.items() if name in node},
    )
    assert kept["b"] == why and "a" not in kept and "d" not in kept


def test_what_stands_between_fp32_spares_casts():
    kept, graph = _convert(
        "x = Cast <to = 1> (image) a = Conv (x, w) b = Softmax (a) c = Relu (b) d = Neg (c) e = Softmax (d) "
        "f = Conv (e, w) g = Relu (f) mask = Cast <to = 2> (g)",
        w=_WEIGHT,
    )
    assert kept == {"b": "softmax", "c": "spares casts", "d": "spares casts", "e": "softmax"}
    assert _casts(graph) == 4


def test_positions_to_sample_at_stay_fp32():
    kept, _ = _convert(
        "x = Cast <to = 1> (image) v = Conv (x, w) p = Conv (x, w) s = Sigmoid (p) "
        "t = Transpose <perm = [0, 2, 3, 1]> (s) y = GridSample (v, t) z = Conv (y, w) mask = Cast <to = 2> (z)",
        w=_WEIGHT,
    )
    assert kept["s"] == kept["t"] == "positions to sample at"
    assert "v" not in kept and "p" not in kept


def test_8_bits_keep_their_scales():
    kept, graph = _convert(
        "x = Cast <to = 1> (image) q = QuantizeLinear (x, scale, zero) d = DequantizeLinear (q, scale, zero) "
        "c = Conv (d, w) r = Relu (c) q2 = QuantizeLinear (r, scale, zero) d2 = DequantizeLinear (q2, scale, zero) "
        "c2 = Conv (d2, w) l = Conv (c2, w) mask = Cast <to = 2> (l)",
        w=_WEIGHT,
        scale=np.float32(1e-6),
        zero=np.int8(0),
    )
    assert [name for name, why in kept.items() if why == "in 8 bits"] == ["q", "d", "c", "q2", "d2", "c2"]
    assert kept["x"] == kept["r"] == "spares casts"
    assert "l" not in kept and _types(graph)["scale"] == FLOAT
