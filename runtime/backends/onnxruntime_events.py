"""What ONNX Runtime's profiler wrote, by layer."""

from collections.abc import Iterable
from typing import Any

from runtime.backends import TimedLayer
from runtime.onnx_graph import Node

_SUFFIX = "_kernel_time"


def timed_layers(events: Iterable[dict[str, Any]], nodes: Iterable[Node]) -> list[TimedLayer]:
    """The layers in order of computation.

    Args:
        events: of the profiler, of one inference after the other.
        nodes: of the graph that the library made of the file. It names those that it adds as it likes, so their outputs
            and inputs have to say what they are for.
    """
    said = {node.name: (*node.outputs, *node.inputs) for node in nodes}
    times: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
            times.setdefault(event["name"].removesuffix(_SUFFIX), []).append(event["dur"] / 1000)
    return [TimedLayer(name, said.get(name, ()), ms) for name, ms in times.items()]
