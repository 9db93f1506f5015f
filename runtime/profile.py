"""Which part of a network takes how long: ONNX Runtime's own profiler, joined to the tasks that each node serves."""

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from perception.errors import InputError
from runtime.backends import Backend
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.onnx_graph import SHARED, read_graph, rooms

_INCLUDES = "median of each layer as ONNX Runtime's profiler times it, which slows small layers; sums of them by room"
_WARM_UP, _COUNT = 3, 20
_SUFFIX = "_kernel_time"


def check_profiler(backend: Backend) -> OnnxRuntime:
    """Return ``backend`` if it can be profiled, else raise :class:`InputError`."""
    if not isinstance(backend, OnnxRuntime):
        raise InputError(f"{backend.path}: --profile asks ONNX Runtime's profiler; give the .onnx file")
    return backend


def profile(backend: Backend) -> dict[str, Any]:
    """Time every layer of a network in a session of its own.

    Layers are those of the graph that ONNX Runtime made of the file: it joins and adds nodes, so which task a layer
    serves is found out from that graph, by the outputs its result ends in.

    Returns:
        ``rooms``, milliseconds by :func:`runtime.onnx_graph.rooms`; ``layers`` in order of computation, each with
        ``name``, ``room`` and ``ms``; and what the times ``includes``.

    Raises:
        InputError: ``backend`` is not ONNX Runtime.
    """
    images = np.zeros((backend.batch, *backend.info.spec.size, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "optimised.onnx"
        events = check_profiler(backend).trace(images, _WARM_UP + _COUNT, graph)
        room = rooms(read_graph(graph))
    times: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
            times.setdefault(event["name"].removesuffix(_SUFFIX), []).append(event["dur"] / 1000)
    layers = [
        {"name": name, "room": room.get(name, SHARED), "ms": median(values[_WARM_UP:])}
        for name, values in times.items()
    ]
    return {"rooms": _sums(layers), "layers": layers, "includes": _INCLUDES}


def _sums(layers: list[dict[str, Any]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for layer in layers:
        sums[layer["room"]] = sums.get(layer["room"], 0.0) + layer["ms"]
    return sums
