"""The nodes of an ONNX file, read without the onnx package, which a board lacks.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from dataclasses import dataclass
from pathlib import Path

from perception.protobuf import fields

# ModelProto.graph; GraphProto.node; NodeProto.input, .output, .name.
_GRAPH, _NODE = 7, 1
_INPUT, _OUTPUT, _NAME = 1, 2, 3


@dataclass(frozen=True)
class Node:
    """One operator: its name, and the names of the values it takes and gives."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_graph(path: Path) -> list[Node]:
    """The nodes of an ONNX file in the order they are computed in; errors as of :func:`perception.protobuf.fields`."""
    nodes = []
    for number, graph in fields(memoryview(path.read_bytes())):
        if number != _GRAPH:
            continue
        for kind, body in fields(graph):
            if kind == _NODE:
                nodes.append(_node(body))
    return nodes


def _node(body: memoryview) -> Node:
    texts: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _NAME: [""]}
    for number, value in fields(body):
        if number in texts:
            texts[number].append(str(value, "utf-8"))
    return Node(texts[_NAME][-1], tuple(texts[_INPUT]), tuple(texts[_OUTPUT]))
