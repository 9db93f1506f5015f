import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from export.graph import check, simplify, tidy
from perception.errors import InputError

OUTPUTS = ("boxes", "scores", "drivable", "drivable_mean", "lane", "lane_mean")
_RNG = np.random.default_rng(0)
# Two convolutions joined, then a batch norm and an activation: the tail of a CSP block.
_CSP = """
<ir_version: 10, opset_import: ["" : 18]>
csp (float[1, 2, 4, 4] x) => (float[1, 5, 4, 4] y)
{
    a = Conv (x, wa)
    b = Conv (x, wb)
    both = Concat <axis = 1> (a, b)
    normal = BatchNormalization (both, scale, shift, mean, variance)
    active = LeakyRelu <alpha = 0.1> (normal)
    y = Abs (active)
}
"""
_CSP_WEIGHTS = {
    "wa": _RNG.normal(size=(2, 2, 1, 1)),
    "wb": _RNG.normal(size=(3, 2, 1, 1)),
    "scale": _RNG.uniform(0.5, 2, 5),
    "shift": _RNG.normal(size=5),
    "mean": _RNG.normal(size=5),
    "variance": _RNG.uniform(0.5, 2, 5),
}
_DEPLOYED = """
<ir_version: 10, opset_import: ["" : 18]>
net (uint8[1, 2, 2, 3] image) =>
    (float[1, 2, 2] boxes, float[1, 2] scores, uint8[1, 2, 2] drivable, float[1, 2] drivable_mean,
     uint8[1, 2, 2] lane, float[1, 2] lane_mean)
{{
    {cast}
    boxes = ReduceSum <keepdims = 0> (x, last)
    scores = ReduceSum <keepdims = 0> (boxes, last)
    drivable = Cast <to = 2> (boxes)
    drivable_mean = ReduceSum <keepdims = 0> (boxes, last)
    lane = Cast <to = 2> (boxes)
    lane_mean = ReduceSum <keepdims = 0> (boxes, last)
}}
"""


def _model(text: str, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    for index, node in enumerate(model.graph.node):
        node.name = f"node{index}"
    for name, values in weights.items():
        kept = values if values.dtype == np.int64 else values.astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(kept, name))
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _deployed(cast: str = "x = Cast <to = 1> (image)") -> onnx.ModelProto:
    return _model(_DEPLOYED.format(cast=cast), {"last": np.array([-1], np.int64)})


def _run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def _operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_batch_norm_and_activation_behind_a_concatenation_reach_the_convolutions():
    model = _model(_CSP, _CSP_WEIGHTS)
    simplified = simplify(model)
    assert sorted(_operators(simplified)) == ["Abs", "Concat", "Conv", "Conv", "LeakyRelu", "LeakyRelu"]
    assert _operators(simplified)[-2:] == ["Concat", "Abs"]
    x = _RNG.normal(size=(1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(_run(simplified, x), _run(model, x), atol=1e-5)


def test_parameters_that_share_a_constant():
    model = _model(_CSP.replace("shift, mean, variance", "shift, shift, scale"), _CSP_WEIGHTS)
    simplified = simplify(model)
    assert "BatchNormalization" not in _operators(simplified)
    x = _RNG.normal(size=(1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(_run(simplified, x), _run(model, x), atol=1e-5)


def test_a_concatenation_whose_parts_have_other_readers_stays_as_it_is():
    text = _CSP.replace("float[1, 5, 4, 4] y)", "float[1, 5, 4, 4] y, float[1, 2, 4, 4] z)").replace(
        "both =", "z = Relu (a)\n    both ="
    )
    model = _model(text, _CSP_WEIGHTS)
    simplified = simplify(model)
    assert "BatchNormalization" in _operators(simplified)
    x = _RNG.normal(size=(1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(_run(simplified, x), _run(model, x), atol=1e-5)


def test_tidy_leaves_nothing_of_the_tracer():
    model = _deployed()
    model.doc_string = model.graph.doc_string = model.graph.node[0].doc_string = "secret/path.py"
    onnx.helper.set_model_props(model, {"trace": "secret/path.py"})
    model.graph.node[1].metadata_props.add(key="stack", value="secret/path.py")
    model.graph.node[2].input[1] = "again"
    for name in ("again", "unused"):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1], np.int64), name))
    tidied = tidy(ir.from_proto(model))
    assert b"secret" not in tidied.SerializeToString()
    assert [constant.name for constant in tidied.graph.initializer] == ["last"]
    assert _operators(tidied) == _operators(model)
    check(tidied, "net", OUTPUTS)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (_deployed("t = Transpose <perm = [0, 1, 2, 3]> (image)\n    x = Cast <to = 1> (t)"), "bytes in Transpose"),
        (_deployed("f = Cast <to = 1> (image) b = Cast <to = 2> (f) x = Cast <to = 1> (b)"), "bytes in Cast node1"),
        (onnx.version_converter.convert_version(_deployed(), 19), "opset 18"),
    ],
    ids=["moves bytes", "casts in between", "opset"],
)
def test_check_refuses_what_tensorrt_would(model, fault):
    with pytest.raises(InputError, match=f"net: .*{fault}"):
        check(onnx.shape_inference.infer_shapes(model), "net", OUTPUTS)


def test_check_refuses_other_outputs():
    model = _deployed()
    model.graph.output.pop()
    with pytest.raises(InputError, match=r"exports with image uint8, .*; expected image uint8, boxes float, .* lane"):
        check(model, "net", OUTPUTS)
