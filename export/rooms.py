"""Which part of the network each node of a graph belongs to, written into its name (:mod:`perception.rooms`)."""

from collections.abc import Sequence

import onnx_ir as ir

from export.graph import inputs_of
from perception.rooms import BACKBONE, ENCODER, SHARED, name_in, room_of_tasks
from perception.tasks import TASKS, output_names

# What :class:`perception.networks.base.DeployForm` calls the network.
_NETWORK = "network."


def name_rooms(graph: ir.Graph, backbone: Sequence[str]) -> None:
    """Put the room of every node before its name and before those of its results; the graph's outputs keep theirs.

    A node whose result ends in the outputs of some tasks only is theirs. What all tasks need is the encoder's from the
    first weight on that does not belong to the backbone.

    Args:
        graph: of a :class:`~perception.networks.base.DeployForm`; weights have the names of its parameters. Changed in
            place.
        backbone: paths of the modules that make up the backbone; none where the network does not tell it apart.
    """
    present = frozenset(task for task in TASKS for value in graph.outputs if value.name in output_names([task]))
    beyond = _beyond(graph, tuple(f"{_NETWORK}{path}." for path in backbone)) if backbone else set()
    for node, tasks in _served(graph).items():
        if tasks and (tasks < present or len(present) == 1):
            room = room_of_tasks(tasks)
        elif backbone:
            room = ENCODER if node in beyond else BACKBONE
        else:
            room = SHARED
        # Names are unique, also where a simplifier leaves nodes without.
        node.name = name_in(room, node.name or str(node.outputs[0].name))
        for value in node.outputs:
            if not value.is_graph_output():
                value.name = name_in(room, str(value.name))


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
        values = inputs_of(node)
        weights = [str(value.name) for value in values if value.const_value is not None]
        outside = any(name.startswith(_NETWORK) and not name.startswith(backbone) for name in weights)
        if outside or any(value.producer() in found for value in values):
            found.add(node)
    return found
