"""Which part of the network each node of a graph belongs to, written into its name (:mod:`perception.rooms`)."""

from collections import Counter
from collections.abc import Sequence

import onnx_ir as ir

from export.graph import inputs_of
from perception.rooms import BACKBONE, ENCODER, LAYER, SHARED, name_in, room_of_tasks
from perception.tasks import TASKS, output_names


def name_layers(graph: ir.Graph) -> None:
    """Call every node that reads a parameter as the parameter's module, such as ``network.model.42.conv``; where
    several do, those that follow ``network.model.42.conv/1``.

    Simplification gives weights that it folds others into new names, and so it does with nodes that it makes of two:
    called before it and after it, this finds the former and the latter.

    Args:
        graph: of a :class:`~perception.networks.base.DeployForm`; weights have the names of its parameters. Changed in
            place.
    """
    seen: Counter[str] = Counter()
    for node in graph:
        paths = (name.rpartition(".")[0] for name in _parameters(node))
        # What the network itself has is of no layer.
        if path := next((path for path in paths if path.startswith(LAYER)), ""):
            node.name = f"{path}/{seen[path]}" if seen[path] else path
            seen[path] += 1


def name_rooms(graph: ir.Graph, backbone: Sequence[str]) -> None:
    """Put the room of every node before its name and before those of its results; the graph's outputs keep theirs.
    Between the two comes the layer, where a node is one (:func:`name_layers`) or computes element by element what one
    gives.

    A node whose result ends in the outputs of some tasks only is theirs. What all tasks need is the encoder's from the
    first weight on that does not belong to the backbone.

    Args:
        graph: of a :class:`~perception.networks.base.DeployForm`; weights have the names of its parameters. Changed in
            place.
        backbone: paths of the modules that make up the backbone; none where the network does not tell it apart.
    """
    present = frozenset(task for task in TASKS for value in graph.outputs if value.name in output_names([task]))
    beyond = _beyond(graph, tuple(f"{LAYER}{path}." for path in backbone)) if backbone else set()
    layers = _layers(graph)
    for node, tasks in _served(graph).items():
        if tasks and (tasks < present or len(present) == 1):
            room = room_of_tasks(tasks)
        elif backbone:
            room = ENCODER if node in beyond else BACKBONE
        else:
            room = SHARED
        # Names are unique, also where a simplifier leaves nodes without.
        node.name = name_in(room, _name_in(layers.get(node), str(node.name or node.outputs[0].name)))
        for value in node.outputs:
            if not value.is_graph_output():
                value.name = name_in(room, _name_in(layers.get(node), str(value.name)))


def _parameters(node: ir.Node) -> list[str]:
    """The names of those that it reads."""
    names = [str(value.name) for value in inputs_of(node) if value.const_value is not None]
    return [name for name in names if name.startswith(LAYER)]


def _layers(graph: ir.Graph) -> dict[ir.Node | None, str]:
    """The layer that each node is, or whose results it computes with element by element and with nothing else."""
    layers: dict[ir.Node | None, str] = {}
    for node in graph:
        read = [value for value in inputs_of(node) if value.const_value is None]
        makers = {layers.get(value.producer()) for value in read}
        shapes = {str(value.shape) for value in (*read, *node.outputs)}
        if str(node.name).startswith(LAYER):
            layers[node] = str(node.name)
        elif len(makers) == len(shapes) == 1 and (layer := makers.pop()):
            layers[node] = layer
    return layers


def _name_in(layer: str | None, name: str) -> str:
    return name if layer in (None, name) else f"{layer}/{name}"


def _served(graph: ir.Graph) -> dict[ir.Node, frozenset[str]]:
    """The tasks that need each node."""
    needed: dict[ir.Value, frozenset[str]] = {
        value: frozenset(task for task in TASKS if value.name in output_names([task])) for value in graph.outputs
    }
    served = {}
    for node in reversed(graph):
        served[node] = frozenset().union(*(needed.get(value, frozenset()) for value in node.outputs))
        for value in inputs_of(node):
            needed[value] = needed.get(value, frozenset()) | served[node]
    return served


def _beyond(graph: ir.Graph, backbone: tuple[str, ...]) -> set[ir.Node]:
    """The nodes with a named weight outside of ``backbone``, and all that follow them."""
    found: set[ir.Node] = set()
    for node in graph:
        outside = any(not name.startswith(backbone) for name in _parameters(node))
        if outside or any(value.producer() in found for value in inputs_of(node)):
            found.add(node)
    return found
