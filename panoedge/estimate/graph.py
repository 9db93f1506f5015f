"""From an ONNX graph to what a GPU would launch: one kernel for each product and what is fused into it.

TensorRT joins element-wise operators to what produces their input, writes concatenated tensors in place, and leaves out
what only renames. The same is assumed here, by simple rules; which kernels a real build chooses is its own affair.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import NodeProto, TensorProto

from perception.errors import MALFORMED, InputError, brief
from perception.files import read_bytes

_POINTWISE = frozenset(
    {
        "Abs", "Add", "And", "BatchNormalization", "Cast", "Ceil", "Clip", "Div", "Elu", "Equal", "Erf", "Exp", "Floor",
        "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "LeakyRelu", "Less", "LessOrEqual", "Log",
        "Max", "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Sigmoid",
        "Sign", "Softplus", "Sqrt", "Sub", "Tanh", "Where",
    }
)  # fmt: skip
# Written in place, or the same bytes under another shape, or not there in FP16.
_FREE = frozenset(
    {
        "Concat", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Split", "Squeeze",
        "Unsqueeze",
    }
)  # fmt: skip
# Shapes are fixed, so these are known before anything runs.
_KNOWN_BEFORE = frozenset({"Shape", "Size"})
_BYTES = {TensorProto.UINT8: 1, TensorProto.INT8: 1, TensorProto.BOOL: 1, TensorProto.INT32: 4, TensorProto.INT64: 8}
_FP16_BYTES = 2
# Steps from view to view. A published network takes 500; views of views can be made to take for ever.
_MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class Kernel:
    """One launch.

    Attributes:
        name: of the node that began it.
        operator: of that node.
        macs: multiply-accumulates.
        bytes: read and written, weights included, floats as FP16.
    """

    name: str
    operator: str
    macs: int
    bytes: int


def kernels(path: Path) -> list[Kernel]:
    """Read an ONNX file; raises :class:`InputError` where it is none, or leaves shapes open."""
    content = read_bytes(path)
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content), data_prop=True)
    except (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        raise InputError(f"{path}: not a valid ONNX file; give the .onnx that panoedge export wrote") from None
    try:
        found = list(_Launches(model.graph).kernels())
    except _OpenShape as error:
        raise InputError(f"{path}: the shape of {error} is open; export it with a fixed size and batch") from None
    except MALFORMED as error:
        raise InputError(f"{path}: its operators make no sense ({brief(error)}); export it again") from None
    if not found:
        raise InputError(f"{path}: holds no operators; give the .onnx that panoedge export wrote")
    return found


class _OpenShape(Exception):
    """Names a tensor whose size is not known before it is computed."""


class _Launches:
    """Nodes sorted into launches. A launch needs nothing that a later one makes."""

    def __init__(self, graph: onnx.GraphProto):
        self._shapes = {
            value.name: value.type.tensor_type for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self._constants = {constant.name: constant for constant in graph.initializer}
        self._launches: list[list[NodeProto]] = []
        # Which launch made a tensor; -1 is the caller.
        self._maker = {value.name: -1 for value in graph.input if value.name not in self._constants}
        # What a tensor is another view of.
        self._views: dict[str, list[str]] = {}
        self._steps = 0
        for node in graph.node:
            self._place(node)
        self._results = {source for value in graph.output for source in self._sources(value.name)}

    def kernels(self) -> Iterator[Kernel]:
        """In the order in which they can run."""
        readers: dict[str, set[int]] = defaultdict(set)
        for number, nodes in enumerate(self._launches):
            for name in _inputs(nodes):
                for source in self._sources(name):
                    readers[source].add(number)
        for number, nodes in enumerate(self._launches):
            made = {name for node in nodes for name in node.output}
            read = {name for name in _inputs(nodes) if not made.issuperset(self._sources(name))}
            written = {name for name in made if name in self._results or readers[name] - {number}}
            yield Kernel(
                nodes[0].name or nodes[0].output[0],
                nodes[0].op_type,
                sum(self._macs(node) for node in nodes),
                sum(self._bytes(name) for name in read | written),
            )

    def _place(self, node: NodeProto) -> None:
        moving = [name for name in node.input if name in self._maker]
        if node.op_type in _KNOWN_BEFORE or not moving:
            return
        latest = max(moving, key=self._maker.__getitem__)
        number = self._maker[latest]
        if node.op_type in _FREE:
            self._views |= dict.fromkeys(node.output, moving)
        elif node.op_type in _POINTWISE and number >= 0 and self._size(latest) == self._size(node.output[0]):
            self._launches[number].append(node)
        else:
            number = len(self._launches)
            self._launches.append([node])
        self._maker |= {name: number for name in node.output if name}

    def _sources(self, name: str) -> list[str]:
        """The tensors in memory of which ``name`` is a view; itself, as a rule."""
        sources, waiting, seen = [], [name], {name}
        while waiting:
            each = waiting.pop()
            if each not in self._views:
                sources.append(each)
                continue
            self._steps += len(self._views[each])
            if self._steps > _MOST_STEPS:
                raise ValueError("views of views beyond any network")
            inner = [one for one in self._views[each] if one not in seen]
            seen.update(inner)
            waiting += inner
        return sources

    def _macs(self, node: NodeProto) -> int:
        if node.op_type == "Conv":
            return self._size(node.output[0]) * math.prod(self._shape(node.input[1])[1:])
        if node.op_type == "ConvTranspose":
            return self._size(node.input[0]) * math.prod(self._shape(node.input[1])[1:])
        if node.op_type == "MatMul":
            return self._size(node.output[0]) * self._shape(node.input[0])[-1]
        if node.op_type == "Gemm":
            transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
            return self._size(node.output[0]) * self._shape(node.input[0])[0 if transposed else 1]
        return 0

    def _bytes(self, name: str) -> int:
        size = self._size(name)
        kind = self._constants[name].data_type if name in self._constants else self._shapes[name].elem_type
        return size * _BYTES.get(kind, _FP16_BYTES)

    def _size(self, name: str) -> int:
        return math.prod(self._shape(name))

    def _shape(self, name: str) -> list[int]:
        if name in self._constants:
            return list(self._constants[name].dims)
        if name not in self._shapes or not self._shapes[name].HasField("shape"):
            raise _OpenShape(name)
        dims = self._shapes[name].shape.dim
        if not all(dim.HasField("dim_value") for dim in dims):
            raise _OpenShape(name)
        return [dim.dim_value for dim in dims]


def _inputs(nodes: Iterable[NodeProto]) -> Iterator[str]:
    return (name for node in nodes for name in node.input if name)
