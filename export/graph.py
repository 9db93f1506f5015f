"""From the graph that torch traces to the one that is deployed: the same function in fewer and plainer nodes."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxsim
from onnx_ir import DataType
from onnx_ir.passes.common import (
    ClearMetadataAndDocStringPass,
    DeduplicateHashedInitializersPass,
    RemoveUnusedNodesPass,
    RemoveUnusedOpsetsPass,
)

from perception.errors import InputError

OPSET = 18
_TYPES = {
    "image": DataType.UINT8,
    "boxes": DataType.FLOAT,
    "scores": DataType.FLOAT,
    "drivable": DataType.UINT8,
    "drivable_mean": DataType.FLOAT,
    "lane": DataType.UINT8,
    "lane_mean": DataType.FLOAT,
}
INPUT = "image"
# One input, one output, and each channel by itself: these give the same before a concatenation as after it.
BY_CHANNEL = frozenset({"BatchNormalization", "HardSwish", "LeakyRelu", "Relu"})


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold batch norms into convolutions and constants into values, and drop what then does nothing."""
    graph = ir.from_proto(model)
    _hoist_over_concatenations(graph.graph)
    simplified, _ = onnxsim.simplify(ir.to_proto(graph))
    return simplified


def tidy(model: ir.Model) -> onnx.ModelProto:
    """Leave out what says nothing about the function: paths and code lines of the tracer, unused and double values.

    Shapes and types of all values are inferred anew, strictly.
    """
    for clean in (
        RemoveUnusedNodesPass(),
        RemoveUnusedOpsetsPass(),
        DeduplicateHashedInitializersPass(),
        ClearMetadataAndDocStringPass(),
    ):
        model = clean(model).model
    model.metadata_props.clear()
    model.doc_string = None
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)


def check(model: onnx.ModelProto, network: str, outputs: Sequence[str]) -> None:
    """Hold the graph to ONNX's rules and to this project's.

    Args:
        model: to be published.
        network: its name, for the error.
        outputs: the names it must have, in order.

    Raises:
        InputError: where the network's own code leads to another opset, other inputs or outputs, or bytes inside the
            graph. TensorRT takes 8-bit tensors only at the border, so the first node must be the cast from the image
            and the last ones the casts to the masks.
    """
    onnx.checker.check_model(model, full_check=True)
    graph = ir.from_proto(model).graph
    if graph.opset_imports != {"": OPSET}:
        raise InputError(
            f"{network}: exports to operator sets {dict(graph.opset_imports)}, expected opset {OPSET} only"
        )
    found = {str(value.name): value.dtype for value in (*graph.inputs, *graph.outputs)}
    expected = {name: _TYPES[name] for name in (INPUT, *outputs)}
    if list(found.items()) != list(expected.items()):
        raise InputError(f"{network}: exports with {_listed(found)}; expected {_listed(expected)}")
    for node in graph:
        inside = any(value.dtype == DataType.UINT8 and not value.is_graph_output() for value in node.outputs)
        touched = any(value.dtype == DataType.UINT8 for value in (*inputs_of(node), *node.outputs))
        if inside or (touched and node.op_type != "Cast"):
            raise InputError(f"{network}: computes with bytes in {node.op_type} {node.name}; cast the image first")


def add_constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """A new initialiser of ``graph``."""
    tensor = ir.tensor(array, name=name)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


def inputs_of(node: ir.Node) -> list[ir.Value]:
    """Those that are there."""
    return [value for value in node.inputs if value is not None]


def channels_of(value: ir.Value) -> int:
    """Of ``[N, C, ...]``; shapes are static here."""
    return value.shape[1]  # type: ignore[index,return-value]


def numbers(constant: ir.Value) -> np.ndarray:
    """Of a weight."""
    return constant.const_value.numpy()  # type: ignore[union-attr]


def _hoist_over_concatenations(graph: ir.Graph) -> None:
    """Move a batch norm or activation that follows a concatenation of convolutions to each of these.

    The simplifier folds batch norms that directly follow a convolution, and inference libraries fuse activations
    there; behind a concatenation (as in every CSP block) each costs a pass over memory.
    """
    for node in list(graph):
        if node.op_type not in BY_CHANNEL or node.outputs[0].is_graph_output():
            continue
        joined, *parameters = inputs_of(node)
        concatenation = joined.producer()
        if concatenation is None or not _joins_convolutions(concatenation):
            continue
        first = 0
        for index, part in enumerate(inputs_of(concatenation)):
            name, channels = f"{node.name}/{index}", slice(first, first + channels_of(part))
            # Named after the place: equal parameters, as of two new batch norms, are one constant by now.
            own = [add_constant(graph, f"{name}/{place}", numbers(p)[channels]) for place, p in enumerate(parameters)]
            copy = ir.Node("", node.op_type, [part, *own], node.attributes.values(), name=name)
            copy.outputs[0].name, copy.outputs[0].shape, copy.outputs[0].type = f"{name}/out", part.shape, part.type
            graph.insert_before(concatenation, copy)
            concatenation.replace_input_with(index, copy.outputs[0])
            first = channels.stop
        ir.convenience.replace_all_uses_with(node.outputs[0], joined)
        graph.remove(node, safe=True)


def _joins_convolutions(node: ir.Node) -> bool:
    """Whether ``node`` joins channels that come from convolutions (through batch norms and activations), has one user
    and is itself the only user of each."""
    if node.op_type != "Concat" or node.attributes["axis"].as_int() != 1 or len(node.outputs[0].uses()) != 1:
        return False
    return all(len(part.uses()) == 1 and _ends_convolution(part) for part in inputs_of(node))


def _ends_convolution(value: ir.Value) -> bool:
    node = value.producer()
    while node is not None and node.op_type in BY_CHANNEL:
        node = inputs_of(node)[0].producer()
    return node is not None and node.op_type == "Conv"


def _listed(types: Mapping[str, DataType | None]) -> str:
    return ", ".join(f"{name} {kind.name.lower() if kind is not None else '?'}" for name, kind in types.items())
