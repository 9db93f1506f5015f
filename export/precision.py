"""FP16 written into the graph: the one way to set precision that every TensorRT from 10.3 to 11 understands.

Networks built strongly typed compute in the types that the file names, and only there. What stays FP32 is decided here
by rule and in :mod:`export.calibration` by measuring.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeGuard

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir import DataType

from export.graph import add_constant
from perception.tasks import DETECTION, output_names

LARGEST = float(np.finfo(np.float16).max)
# To 8 bits and back; their scales may be too small for FP16.
CONVERSIONS = frozenset({"DequantizeLinear", "QuantizeLinear"})
# These add up or exponentiate many values: in FP16 they overflow above 65504 or lose what is small.
_RULES = {
    **dict.fromkeys(
        ("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization"), "normalisation"
    ),
    **dict.fromkeys(("LogSoftmax", "Softmax"), "softmax"),
    **dict.fromkeys(("Exp", "Log", "Pow"), "powers"),
    **dict.fromkeys(("ReduceL2", "ReduceMean", "ReduceSum"), "sums of many values"),
    **dict.fromkeys(CONVERSIONS, "in 8 bits"),
}
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_FLOATS = (DataType.FLOAT, DataType.FLOAT16)


@dataclass(frozen=True)
class Kept:
    """A node that stays FP32.

    Attributes:
        node: its name.
        operator: such as ``Conv``.
        why: the reason, in a few words.
    """

    node: str
    operator: str
    why: str


def to_fp16(model: ir.Model, lossy: Mapping[str, str] = MappingProxyType({})) -> list[Kept]:
    """Turn weights and activations to FP16 in place; types of inputs and outputs stay.

    FP32 remain

    - the operators that sum or exponentiate;
    - the way from the last convolution or matrix product to boxes and scores: the decoding of boxes, for beyond
      column 512 FP16 only counts in half pixels, and the choice of the best. Masks stay FP16 to the end;
    - likewise the way to the positions at which a map is sampled;
    - what is quantised to 8 bits, with its scales;
    - what ``lossy`` names;
    - what would need more casts as FP16 than as FP32 because it stands between all these.

    Finite weights beyond FP16 become its largest number.

    Args:
        model: all values typed, no subgraphs; every float graph input or output FP32.
        lossy: the reason why a node stays FP32, by the name of its first output; see :mod:`export.calibration`.

    Returns:
        The nodes that stay FP32, in their order.
    """
    graph = model.graph
    wide = {node: lossy[name] for node in graph if (name := str(node.outputs[0].name)) in lossy} | dict(_by_rule(graph))
    _spare_casts(graph, wide)
    converted: dict[tuple[ir.Value, DataType], ir.Value] = {}
    for node in list(graph):
        for index, value in enumerate(node.inputs):
            if value is None or value.dtype not in _FLOATS:
                continue
            kind = DataType.FLOAT if node in wide or is_always_fp32(model, node, index) else DataType.FLOAT16
            if value.dtype != kind:
                if (value, kind) not in converted:
                    converted[value, kind] = _convert(graph, value, kind)
                node.replace_input_with(index, converted[value, kind])
        if node not in wide:
            _make_outputs_fp16(node)
    return [Kept(str(node.name), node.op_type, wide[node]) for node in graph if node in wide]


def held(numbers: np.ndarray) -> np.ndarray:
    """Constants as FP16 holds them; finite ones stay finite."""
    return np.where(np.isinf(numbers), numbers, np.clip(numbers, -LARGEST, LARGEST)).astype(np.float16)


def is_always_fp32(model: ir.Model, node: ir.Node, index: int) -> bool:
    """Whether ONNX allows nothing but FP32 as input ``index``, as for the scales of Resize."""
    schema = onnx.defs.get_schema(node.op_type, model.opset_imports[node.domain], node.domain)
    return schema.inputs[min(index, len(schema.inputs) - 1)].type_str == "tensor(float)"


def _by_rule(graph: ir.Graph) -> Iterator[tuple[ir.Node, str]]:
    for node in graph:
        if node.op_type in _RULES:
            yield node, _RULES[node.op_type]
        if node.op_type == "DequantizeLinear":
            yield from ((user, _RULES[node.op_type]) for user, _ in node.outputs[0].uses())
    sampled = [value for node in graph if node.op_type == "GridSample" and (value := node.inputs[1]) is not None]
    yield from ((node, "positions to sample at") for node in behind_products(sampled)[0])
    boxes = [value for value in graph.outputs if value.name in output_names([DETECTION])]
    yield from ((node, "decoding of boxes") for node in behind_products(boxes)[0])


def behind_products(values: Iterable[ir.Value]) -> tuple[set[ir.Node], set[ir.Node]]:
    """What lies between the last convolutions or matrix products and ``values``, and these products."""
    between: set[ir.Node] = set()
    products: set[ir.Node] = set()
    ahead = [value.producer() for value in values]
    while ahead:
        node = ahead.pop()
        if node is None or node in between:
            continue
        if node.op_type in _PRODUCTS:
            products.add(node)
        else:
            between.add(node)
            ahead.extend(value.producer() for value in node.inputs if value is not None)
    return between, products


def _spare_casts(graph: ir.Graph, wide: dict[ir.Node, str]) -> None:
    """Widen what would need more casts as FP16 than as FP32: whole regions between products, then node by node.

    Products stay, for they gain most from FP16.
    """
    narrow = [node for node in graph if node not in wide and node.op_type not in _PRODUCTS]
    for group in (*_regions(narrow), *({node} for node in narrow)):
        touched = {value for node in group for value in (*node.inputs, *node.outputs) if _is_activation(value)}
        wider = wide.keys() | group
        if sum(_is_cast(value, wider) for value in touched) < sum(_is_cast(value, wide.keys()) for value in touched):
            wide.update(dict.fromkeys(group - wide.keys(), "spares casts"))


def _regions(nodes: Sequence[ir.Node]) -> Iterator[set[ir.Node]]:
    """The parts that a graph falls into when there is nothing but ``nodes``, in their order."""
    left = set(nodes)
    for start in nodes:
        region: set[ir.Node] = set()
        ahead = {start} & left
        while ahead:
            region |= ahead
            left -= ahead
            ahead = {neighbour for node in ahead for neighbour in _neighbours(node)} & left
        if region:
            yield region


def _neighbours(node: ir.Node) -> Iterator[ir.Node]:
    yield from (maker for value in node.inputs if _is_activation(value) and (maker := value.producer()))
    yield from (user for value in node.outputs if _is_activation(value) for user, _ in value.uses())


def _is_activation(value: ir.Value | None) -> TypeGuard[ir.Value]:
    return value is not None and value.dtype in _FLOATS and value.producer() is not None


def _is_cast(value: ir.Value, wide: Set[ir.Node]) -> bool:
    """Whether some user of ``value`` needs the other type."""
    return any((user in wide) != (value.producer() in wide) for user, _ in value.uses())


def _convert(graph: ir.Graph, value: ir.Value, kind: DataType) -> ir.Value:
    """``value`` in the other type: rounded now where it is constant, else by a cast right after its producer."""
    name = f"{value.name}/{kind.name.lower()}"
    if value.const_value is not None:
        return add_constant(graph, name, held(value.const_value.numpy()))
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
