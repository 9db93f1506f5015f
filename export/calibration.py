"""What FP16 would lose in a graph, measured on pictures.

Every node is computed twice in one run of ONNX Runtime: in FP32, and once more by a twin whose inputs and weights have
been through FP16. The twin gets the inputs of the original, so that each error found is the node's own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx_ir import DataType

from export.graph import INPUT, add_constant
from export.precision import LARGEST, held, is_always_fp32
from perception.errors import InputError

# Pictures on the road may drive values further than those seen here.
MARGIN = 4


@dataclass(frozen=True)
class Loss:
    """What FP16 does to one node.

    Attributes:
        peak: largest absolute value that it puts out.
        error: root mean square of the error that rounded inputs and weights cause in its outputs, relative to these.
    """

    peak: float
    error: float


def measure(model: onnx.ModelProto, batches: Iterable[np.ndarray]) -> dict[str, Loss]:
    """Measure every float value that a node puts out, by name.

    Args:
        model: FP32, all values typed.
        batches: what it takes; one at least.
    """
    metered = ir.from_proto(model)
    names = _add_meters(metered)
    options = onnxruntime.SessionOptions()
    # Optimised, a value that goes to FP16 and back would keep its digits.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        ir.to_proto(metered).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    readings = np.array([session.run(None, {INPUT: batch}) for batch in batches], np.float64)
    peaks, signals, noises = readings.reshape(len(readings), len(names), 3).transpose(2, 0, 1)
    with np.errstate(invalid="ignore"):  # infinities
        errors = np.sqrt(noises.sum(0) / np.maximum(signals.sum(0), np.finfo(np.float64).tiny))
    return {
        name: Loss(float(peak), float(error)) for name, peak, error in zip(names, peaks.max(0), errors, strict=True)
    }


def find_lossy(graph: ir.Graph, losses: Mapping[str, Loss], bound: float) -> dict[str, str]:
    """Which nodes must stay FP32, and why, by the name of their first output.

    A value that comes too close to the largest that FP16 holds stays FP32 where it is made and wherever it is read; so
    do the inputs of a node that suffers from their rounding.

    Args:
        graph: that was measured.
        losses: by :func:`measure`.
        bound: largest relative error allowed.
    """
    found: dict[str, str] = {}
    neighbours: dict[str, str] = {}
    for node in graph:
        seen = [losses[name] for name in map(_name, node.outputs) if name in losses]
        if not all(loss.peak <= LARGEST / MARGIN for loss in seen):
            found[_name(node.outputs[0])] = f"reaches {max(loss.peak for loss in seen):.3g}"
            neighbours |= dict.fromkeys(_users(node), f"reads {node.name}")
        elif not all(loss.error <= bound for loss in seen):
            found[_name(node.outputs[0])] = f"loses {max(loss.error for loss in seen):.2%} to rounding"
            neighbours |= dict.fromkeys(_makers(node), f"feeds {node.name}")
    return neighbours | found


def find_named(graph: ir.Graph, patterns: Sequence[str]) -> dict[str, str]:
    """The nodes whose name, or the name of one of their weights, matches a pattern such as ``*model.24*``.

    Raises:
        InputError: a pattern that matches none.
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        nodes = [node for node in graph if any(fnmatchcase(name, pattern) for name in _called(node))]
        if not nodes:
            raise InputError(f"--fp32-nodes {pattern}: no node and no weight has such a name")
        found |= dict.fromkeys((_name(node.outputs[0]) for node in nodes), f"asked for by {pattern}")
    return found


def _called(node: ir.Node) -> Iterator[str]:
    yield str(node.name)
    yield from (_name(value) for value in node.inputs if value is not None and value.const_value is not None)


def _users(node: ir.Node) -> Iterator[str]:
    return (_name(user.outputs[0]) for value in node.outputs for user, _ in value.uses())


def _makers(node: ir.Node) -> Iterator[str]:
    producers = (value.producer() for value in node.inputs if value is not None)
    return (_name(producer.outputs[0]) for producer in producers if producer is not None)


def _name(value: ir.Value) -> str:
    return str(value.name)


def _add_meters(model: ir.Model) -> list[str]:
    """Make peak, mean square and mean squared error of every float value the outputs of ``model``; returns the names
    of these values."""
    graph = model.graph
    rounded: dict[ir.Value, ir.Value] = {}
    names: list[str] = []
    meters: list[ir.Value] = []
    for node in list(graph):
        if all(output.dtype != DataType.FLOAT for output in node.outputs):
            continue
        # All of a node's meters come right behind it, so that no value must be kept in memory for long.
        chain = _Chain(graph, node)
        for index, value in enumerate(node.inputs):
            if value is None or value.dtype != DataType.FLOAT or is_always_fp32(model, node, index):
                continue
            if value not in rounded:
                rounded[value] = _rounded(chain, value)
        inputs = [value if value is None else rounded.get(value, value) for value in node.inputs]
        twin = chain.add(node.op_type, inputs, node.attributes.values(), len(node.outputs))
        for output, copy in zip(node.outputs, twin, strict=True):
            if output.dtype != DataType.FLOAT:
                continue
            names.append(_name(output))
            (difference,) = chain.add("Sub", [copy, output])
            meters.extend(chain.add("ReduceMax", chain.add("Abs", [output]), [ir.AttrInt64("keepdims", 0)]))
            for numbers in (output, difference):
                meters.extend(chain.add("ReduceMean", chain.add("Mul", [numbers] * 2), [ir.AttrInt64("keepdims", 0)]))
    for meter in meters:
        meter.type, meter.shape = ir.TensorType(DataType.FLOAT), ir.Shape(())
    graph.outputs.clear()
    graph.outputs.extend(meters)
    return names


class _Chain:
    """Adds nodes behind a node, one after the other."""

    def __init__(self, graph: ir.Graph, last: ir.Node):
        self.graph = graph
        self._last = last

    def add(
        self, operator: str, inputs: Sequence[ir.Value | None], attributes: Iterable[ir.Attr] = (), outputs: int = 1
    ) -> Sequence[ir.Value]:
        """A node's outputs."""
        node = ir.Node("", operator, inputs, attributes, num_outputs=outputs)
        self.graph.insert_after(self._last, node)
        self._last = node
        return node.outputs


def _rounded(chain: _Chain, value: ir.Value) -> ir.Value:
    """``value`` as FP16 holds it, in FP32."""
    if value.const_value is not None:
        numbers = held(value.const_value.numpy()).astype(np.float32)
        return add_constant(chain.graph, f"{value.name}/rounded", numbers)
    (half,) = chain.add("Cast", [value], [ir.AttrInt64("to", DataType.FLOAT16)])
    return chain.add("Cast", [half], [ir.AttrInt64("to", DataType.FLOAT)])[0]
