import numpy as np
import onnx
import onnx_ir as ir
import pytest

from export.operators import check_operators
from perception.errors import InputError

_VECTOR = "(float[1, 8] x) => (float[N, M] y) "
_PICTURE = "(float[1, 3, 8, 8] x) => (float[N, C, H, W] y) "
_CONSTANTS = {
    "axes": np.int64([1]),
    "axis": np.int64(1),
    "few": np.int64([5]),
    "most": np.int64([3840]),
    "many": np.int64([3841]),
    "two": np.float32(2),
    "whole": np.int64(2),
    "half": np.float16([1, 1, 1]),
    "channels": np.float32([1, 1, 1]),
    "sides": np.int64([0, 1, 0, 1]),
    "values": np.float32([0, 1]),
    "twice": np.float32([2, 2]),
    "scales": np.float32([1, 1, 2, 2]),
    "grid": np.zeros((1, 2, 2, 2), np.float32),
    "row": np.float32([1] * 8),
}


def model(graph: str, opset: int = 18) -> ir.Model:
    parsed = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}, "com.other" : 1]>\nnet {graph}')
    for index, node in enumerate(parsed.graph.node):
        node.name = f"node{index}"
    used = {name for node in parsed.graph.node for name in node.input}
    parsed.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in _CONSTANTS.items() if name in used
    )
    return ir.from_proto(parsed)


@pytest.mark.parametrize(
    "graph",
    [
        _VECTOR + "{ a = Relu (x) b = HardSwish (a) y = Softmax (b) }",
        "(float[1, 5000] x) => (float[1, 3840] y, int64[1, 3840] i) { y, i = TopK (x, most) }",
        _VECTOR + "{ y = Pow (x, two) }",
        _VECTOR + "{ y = ReduceMean (x, axes) }",
        _VECTOR + "{ y = CumSum (x, axis) }",
        "(float[1, 8] x) => (float[8] y) { y = Squeeze (x) }",
        _VECTOR + '{ y = Einsum <equation = "nc,nc->nc"> (x, x) }',
        _VECTOR + "{ y = LayerNormalization (x, row) }",
        _PICTURE + "{ y = BatchNormalization (x, channels, channels, channels, channels) }",
        _PICTURE + "{ y = GridSample (x, grid) }",
        _PICTURE + "{ y = MaxPool <kernel_shape = [2, 2]> (x) }",
        _PICTURE + '{ y = Resize <mode = "linear"> (x, , scales) }',
    ],
)
def test_what_tensorrt_builds_is_let_through(graph):
    check_operators(model(graph), "net")


@pytest.mark.parametrize(
    ("graph", "fault"),
    [
        ("(float[1, 9, 4] b, float[1, 1, 9] s) => (int64[N, 3] y) { y = NonMaxSuppression (b, s) }", "NonMaxSuppr"),
        (_VECTOR + "{ a = Relu (x) y = com.other.Clever (a) }", "Clever node1"),
        ("(float[1, 5000] x) => (float[1, M] y, int64[1, M] i) { y, i = TopK (x, many) }", "TopK node0 .K is 3841, 38"),
        ("(float[1, 8] x, int64[1] k) => (float[1, M] y, int64[1, M] i) { y, i = TopK (x, k) }", "K must be constant"),
        (_VECTOR + "{ y = Pow (x, whole) }", "floating-point"),
        ("(float[1, 8] x, int64[1] k) => (float[N, M] y) { y = ReduceMean (x, k) }", "axes must be constant"),
        ("(float[1, 8] x, int64 k) => (float[N, M] y) { y = CumSum (x, k) }", "axis must be constant"),
        ("(float[1, 8] x, int64[1] k) => (float[N, M, 1] y) { y = Unsqueeze (x, k) }", "axes must be constant"),
        (_VECTOR + '{ y = Einsum <equation = "...c,...c->...c"> (x, x) }', "no ellipsis"),
        ("(float[1, 8] x) => (float[N, M] y, float[N, 1] m) { y, m = LayerNormalization (x, row) }", "first output"),
        (_VECTOR + "{ y = Pad (x, sides, , axes) }", "all axes"),
        (_PICTURE + "{ y = BatchNormalization (x, half, channels, channels, channels) }", "of one type"),
        ("(float[1, 1, 4, 4, 4] x, float[1, 2, 2, 2, 3] g) => (float[1, 1, 2, 2, 2] y) { y = GridSample (x, g) }", "5"),
        (_PICTURE + "{ y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x) }", r"dilations must be 1"),
        ("(float[1, 3, 8] x) => (float[N, C, W] y) { y = MaxPool <kernel_shape = [2]> (x) }", "2 or 3 dimensions"),
        ("(int64[8] x, int64 d) => (float[N, M] y) { y = OneHot (x, d, values) }", "depth must be constant"),
        (_PICTURE + "{ y, i = MaxPool <kernel_shape = [2, 2]> (x) z = Cast <to = 1> (i) }", "no indices"),
        (_PICTURE + '{ y = Resize <mode = "cubic"> (x, , scales) }', "mode cubic"),
        (_PICTURE + "{ y = Resize <axes = [2, 3]> (x, , twice) }", "axes named"),
        (_PICTURE + "{ y = Resize <antialias = 1> (x, , scales) }", "antialias"),
        (
            _PICTURE + '{ y = Resize <coordinate_transformation_mode = "half_pixel_symmetric"> (x, , scales) }',
            "symmetric",
        ),
    ],
)
def test_what_it_does_not_is_named(graph, fault):
    with pytest.raises(InputError, match=fault) as refused:
        check_operators(model(graph), "net")
    assert "node" in str(refused.value) and "\n" not in str(refused.value)


def test_every_faulty_node_is_named():
    with pytest.raises(InputError, match=r"Clever node0 .*; Pow node1 "):
        check_operators(model(_VECTOR + "{ a = com.other.Clever (x) y = Pow (a, whole) }"), "net")


def test_newest_opset():
    graph = _VECTOR + "{ y = Relu (x) }"
    check_operators(model(graph, opset=20), "net")
    with pytest.raises(InputError, match="exports to opset 21"):
        check_operators(model(graph, opset=21), "net")
