"""FP16 written into the graph: the one way to set precision that every TensorRT from 10.3 to 11 understands.

Networks built strongly typed compute in the types that the file names, and only there.
"""

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir import DataType

from export.graph import add_constant

# These add up or exponentiate many values: in FP16 they overflow above 65504 or lose what is small.
_FP32_OPERATORS = frozenset(
    {
        "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
        "Exp", "Log", "LogSoftmax", "Pow", "Softmax", "ReduceL2", "ReduceMean", "ReduceSum",
    }
)  # fmt: skip
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_LARGEST = float(np.finfo(np.float16).max)


def to_fp16(model: ir.Model) -> None:
    """Turn weights and activations to FP16 in place; types of inputs and outputs stay.

    FP32 remain the operators that sum or exponentiate, and the way from the last convolution or matrix product to
    each float output: the decoding of boxes, for beyond column 512 FP16 only counts in half pixels, and the choice of
    the best. Masks stay FP16 to the end. Finite weights beyond FP16 become its largest number.

    Args:
        model: all values typed, no subgraphs; every float graph input or output FP32.
    """
    graph = model.graph
    wide = {node for node in graph if node.op_type in _FP32_OPERATORS} | _decoding(graph)
    converted: dict[tuple[ir.Value, DataType], ir.Value] = {}
    for node in list(graph):
        for index, value in enumerate(node.inputs):
            if value is None or value.dtype not in (DataType.FLOAT, DataType.FLOAT16):
                continue
            kind = DataType.FLOAT if node in wide or _is_always_fp32(node, index, model) else DataType.FLOAT16
            if value.dtype != kind:
                if (value, kind) not in converted:
                    converted[value, kind] = _convert(graph, value, kind)
                node.replace_input_with(index, converted[value, kind])
        if node not in wide:
            _make_outputs_fp16(node)


def _decoding(graph: ir.Graph) -> set[ir.Node]:
    """What lies between the last convolutions or matrix products and the float outputs."""
    found: set[ir.Node] = set()
    ahead = [output.producer() for output in graph.outputs if output.dtype == DataType.FLOAT]
    while ahead:
        node = ahead.pop()
        if node is not None and node.op_type not in _PRODUCTS and node not in found:
            found.add(node)
            ahead.extend(value.producer() for value in node.inputs if value is not None)
    return found


def _is_always_fp32(node: ir.Node, index: int, model: ir.Model) -> bool:
    """Whether ONNX allows nothing but FP32 here, as for the scales of Resize."""
    schema = onnx.defs.get_schema(node.op_type, model.opset_imports[node.domain], node.domain)
    return schema.inputs[min(index, len(schema.inputs) - 1)].type_str == "tensor(float)"


def _convert(graph: ir.Graph, value: ir.Value, kind: DataType) -> ir.Value:
    """``value`` in the other type: rounded now where it is constant, else by a cast right after its producer."""
    name = f"{value.name}/{kind.name.lower()}"
    if value.const_value is not None:
        numbers = value.const_value.numpy()
        held = np.where(np.isinf(numbers), numbers, np.clip(numbers, -_LARGEST, _LARGEST))
        return add_constant(graph, name, held.astype(kind.numpy()))
    cast = ir.Node("", "Cast", [value], [ir.AttrInt64("to", kind)], name=name)
    cast.outputs[0].name, cast.outputs[0].shape, cast.outputs[0].type = name, value.shape, ir.TensorType(kind)
    graph.insert_after(value.producer(), cast)  # type: ignore[arg-type]  # the only graph input is not a float
    return cast.outputs[0]


def _make_outputs_fp16(node: ir.Node) -> None:
    for output in node.outputs:
        if output.dtype == DataType.FLOAT:
            output.dtype = DataType.FLOAT16
            if node.op_type == "Cast":
                node.attributes["to"] = ir.AttrInt64("to", DataType.FLOAT16)
