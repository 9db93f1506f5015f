"""What the strictest TensorRT that boards still have, 10.3 of JetPack 6.2, accepts of ONNX.

Found out at export, a fault costs a sentence; on the board it costs a copied file and a message about a parser. The
facts come from the operator tables and the changelog of https://github.com/onnx/onnx-tensorrt (what later versions
added is not allowed here), and from builds with TensorRT-RTX: more than 3840 candidates of TopK, and
NonMaxSuppression, pass its parser and fail in its builder.
"""

from collections.abc import Callable, Iterator

import onnx_ir as ir

from perception.errors import InputError

NEWEST_OPSET = 20
MOST_CANDIDATES = 3840
_FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16})
_RESIZE_COORDINATES = frozenset(
    {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}
)
_ALLOWED = frozenset(
    {
        # One number from one or two.
        "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip",
        "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Greater", "GreaterOrEqual", "HardSigmoid",
        "HardSwish", "Identity", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min",
        "Mod", "Mul", "Neg", "Not", "Or", "Pow", "PRelu", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid",
        "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "Tanh", "ThresholdedRelu",
        "Where", "Xor",
        # One number from many.
        "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "CumSum",
        "DeformConv", "Einsum", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization",
        "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization", "LRN", "MatMul",
        "MaxPool", "MeanVarianceNormalization", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
        "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax", "TopK",
        # Numbers in other places.
        "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather",
        "GatherElements", "GatherND", "GridSample", "OneHot", "Pad", "Range", "Reshape", "Resize", "RoiAlign",
        "ScatterElements", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
        "Trilu", "Unsqueeze",
        # Eight bits.
        "DequantizeLinear", "QuantizeLinear",
    }
)  # fmt: skip


def check_operators(model: ir.Model, network: str) -> None:
    """Raise :class:`InputError` that names each node which TensorRT 10.3 would not build.

    Args:
        model: all values typed, with shapes.
        network: its name, for the error.
    """
    opset = model.opset_imports.get("", 0)
    if opset > NEWEST_OPSET:
        raise InputError(f"{network}: exports to opset {opset}; TensorRT 10.3 reads {NEWEST_OPSET} at most")
    faults = [f"{node.op_type} {node.name} {fault}" for node in model.graph for fault in _faults(node)]
    if faults:
        raise InputError(f"{network}: TensorRT 10.3 cannot build {'; '.join(faults)}")


def _faults(node: ir.Node) -> Iterator[str]:
    if node.domain or node.op_type not in _ALLOWED:
        yield "(no operator of its)"
        return
    if node.op_type.startswith("Reduce"):
        yield from _constant(node, 1, "axes")
    rule = _RULES.get(node.op_type)
    if rule is not None:
        yield from rule(node)


def _constant(node: ir.Node, index: int, name: str) -> Iterator[str]:
    """An input that must not be computed."""
    value = _input(node, index)
    if value is not None and value.const_value is None:
        yield f"({name} must be constant)"


def _cumulative_sum(node: ir.Node) -> Iterator[str]:
    yield from _constant(node, 1, "axis")


def _axes(node: ir.Node) -> Iterator[str]:
    yield from _constant(node, 1, "axes")


def _batch_norm(node: ir.Node) -> Iterator[str]:
    if len({value.dtype for value in node.inputs if value is not None}) > 1:
        yield "(all inputs must be of one type)"


def _einsum(node: ir.Node) -> Iterator[str]:
    terms = node.attributes["equation"].as_string().partition("->")[0].replace(" ", "").split(",")
    if any("." in term or len(set(term)) < len(term) for term in terms):
        yield "(no ellipsis, no diagonal)"


def _grid_sample(node: ir.Node) -> Iterator[str]:
    value = _input(node, 0)
    if value is not None and value.shape is not None and len(value.shape) != 4:
        yield f"(input must have 4 dimensions, has {len(value.shape)})"


def _layer_norm(node: ir.Node) -> Iterator[str]:
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        yield "(only its first output)"


def _one_hot(node: ir.Node) -> Iterator[str]:
    yield from _constant(node, 1, "depth")


def _pad(node: ir.Node) -> Iterator[str]:
    if _input(node, 3) is not None:
        yield "(all axes must be padded, none named)"


def _pool(node: ir.Node) -> Iterator[str]:
    value = _input(node, 0)
    if value is not None and value.shape is not None and len(value.shape) not in (4, 5):
        yield "(2 or 3 dimensions must be pooled)"
    dilations = node.attributes.get_ints("dilations", [])
    if any(step != 1 for step in dilations):
        yield f"(dilations must be 1, are {list(dilations)})"
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        yield "(no indices)"


def _power(node: ir.Node) -> Iterator[str]:
    if any(value is not None and value.dtype not in _FLOATS for value in node.inputs):
        yield "(base and exponent must be floating-point numbers)"


def _resize(node: ir.Node) -> Iterator[str]:
    attributes = node.attributes
    mode = attributes.get_string("mode", "nearest")
    coordinates = attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if mode not in ("nearest", "linear"):
        yield f"(mode {mode})"
    if coordinates not in _RESIZE_COORDINATES:
        yield f"(coordinates {coordinates})"
    if "axes" in attributes:
        yield "(axes named)"
    if attributes.get_int("antialias", 0):
        yield "(antialias)"
    if attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
        yield "(keeping the aspect)"


def _top_k(node: ir.Node) -> Iterator[str]:
    value = _input(node, 1)
    if value is None or value.const_value is None:
        yield "(K must be constant)"
    elif (count := int(value.const_value.numpy().item())) > MOST_CANDIDATES:
        yield f"(K is {count}, {MOST_CANDIDATES} at most)"


_RULES: dict[str, Callable[[ir.Node], Iterator[str]]] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "CumSum": _cumulative_sum,
    "Einsum": _einsum,
    "GridSample": _grid_sample,
    "LayerNormalization": _layer_norm,
    "MaxPool": _pool,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Pow": _power,
    "Resize": _resize,
    "Squeeze": _axes,
    "TopK": _top_k,
    "Unsqueeze": _axes,
}


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None
