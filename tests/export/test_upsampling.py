import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from export.upsampling import absorb_upsampling

_RNG = np.random.default_rng(0)
_GRAPH = """
<ir_version: 10, opset_import: ["" : 18]>
head (float[2, 3, 4, 5] x) => (float[N, C, H, W] y)
{{
    large = Resize <mode = "nearest", coordinate_transformation_mode = "{coordinates}", nearest_mode = "floor">
        (x, , scales)
    {rest}
}}
"""
_CONV = "c = Conv <{attributes}> (large, weight, bias)\n y = Neg (c)"
_SAME = "pads = [1, 1, 1, 1], kernel_shape = [3, 3]"


def _model(rest: str, outputs: int = 2, groups: int = 1, coordinates: str = "asymmetric", scale: float = 2):
    model = onnx.parser.parse_model(_GRAPH.format(rest=rest, coordinates=coordinates))
    weights = {
        "weight": _RNG.normal(size=(outputs, 3 // groups, 3, 3)),
        "bias": _RNG.normal(size=outputs),
        "scales": np.array([1, 1, scale, scale]),
    }
    for index, node in enumerate(model.graph.node):
        node.name = f"node{index}"
    for name, values in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _absorbed(model: onnx.ModelProto) -> onnx.ModelProto:
    typed = ir.from_proto(model)
    absorb_upsampling(typed.graph)
    proto = ir.to_proto(typed)
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _run(model: onnx.ModelProto) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize(
    ("rest", "operators"),
    [
        (_CONV.format(attributes=_SAME), ["Conv", "DepthToSpace", "Neg"]),
        (
            f"c = Conv <{_SAME}> (large, weight)\n a = HardSwish (c)\n y = Neg (a)",
            ["Conv", "HardSwish", "DepthToSpace", "Neg"],
        ),
        (
            f"c = Conv <{_SAME}> (large, weight)\n a = Relu (c)\n y = Sub (a, c)",
            ["Conv", "DepthToSpace", "Relu", "Sub"],
        ),
    ],
    ids=["bias", "activation", "activation beside another reader"],
)
def test_same_numbers_borders_included(rest, operators):
    model = _model(rest)
    absorbed = _absorbed(model)
    assert [node.op_type for node in absorbed.graph.node] == operators
    np.testing.assert_allclose(_run(absorbed), _run(model), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("rest", "changes"),
    [
        (_CONV.format(attributes=_SAME), {"outputs": 8}),
        (_CONV.format(attributes=_SAME), {"coordinates": "half_pixel"}),
        (_CONV.format(attributes=_SAME), {"scale": 3}),
        (_CONV.format(attributes=f"{_SAME}, strides = [2, 2]"), {}),
        (_CONV.format(attributes="pads = [2, 2, 2, 2], dilations = [2, 2]"), {}),
        (_CONV.format(attributes="pads = [0, 0, 1, 1]"), {}),
        (_CONV.format(attributes=f"{_SAME}, group = 3"), {"outputs": 3, "groups": 3}),
        (
            f"c = Conv <{_SAME}> (large, weight, bias)\n d = Neg (large)\n e = Concat <axis = 1> (c, d)\n y = Neg (e)",
            {},
        ),
        (f"y = Conv <{_SAME}> (large, weight, bias)", {}),
    ],
    ids=["many outputs", "other places", "scale 3", "stride", "dilation", "padding", "groups", "two readers", "output"],
)
def test_anything_else_stays(rest, changes):
    model = _model(rest, **changes)
    assert [node.op_type for node in _absorbed(model).graph.node] == [node.op_type for node in model.graph.node]
