"""The nodes of an ONNX file and what each of them is for, read without the onnx package, which a board lacks.

Field numbers are those of ONNX's public ``onnx.proto``; the encoding is that of Protocol Buffers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perception.tasks import TASKS, output_names

SHARED = "shared"
# ModelProto.graph; GraphProto.node; NodeProto.input, .output, .name.
_GRAPH, _NODE = 7, 1
_INPUT, _OUTPUT, _NAME = 1, 2, 3
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Node:
    """One operator: its name, and the names of the values it takes and gives."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_graph(path: Path) -> list[Node]:
    """The nodes of an ONNX file in the order they are computed in; raises ValueError where it is none."""
    nodes = []
    for number, graph in _fields(memoryview(path.read_bytes())):
        if number != _GRAPH:
            continue
        for kind, body in _fields(graph):
            if kind == _NODE:
                nodes.append(_node(body))
    return nodes


def rooms(nodes: list[Node]) -> dict[str, str]:
    """Which part of the network each node belongs to, by its name.

    A node whose result ends in the outputs of one task alone is that task's; one of several but not all tasks belongs
    to those, as ``drivable+lane``; one of all, as backbone and encoder are, is ``shared``.
    """
    tasks = {name: frozenset([task]) for task in TASKS for name in output_names([task])}
    present = frozenset().union(*(tasks[name] for node in nodes for name in node.outputs if name in tasks))
    serves = dict(tasks)
    found = {}
    for node in reversed(nodes):
        users = frozenset().union(*(serves.get(name, frozenset()) for name in node.outputs))
        for name in node.inputs:
            serves[name] = serves.get(name, frozenset()) | users
        own = len(users) == 1 or set() < users < present
        found[node.name] = "+".join(task for task in TASKS if task in users) if own else SHARED
    return found


def _node(body: memoryview) -> Node:
    texts: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _NAME: [""]}
    for number, value in _fields(body):
        if number in texts:
            texts[number].append(str(value, "utf-8"))
    return Node(texts[_NAME][-1], tuple(texts[_INPUT]), tuple(texts[_OUTPUT]))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the fields that have a length; numbers are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            length, at = _varint(message, at)
            yield number, message[at : at + length]
            at += length
        else:
            raise ValueError(f"no Protocol Buffers message: wire type {wire}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
