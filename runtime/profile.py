"""Which part of a network takes how long: the library's own profiler, joined to the rooms of the network."""

from statistics import median
from typing import Any

import numpy as np

from perception.errors import InputError
from perception.rooms import layers_in, rooms_in
from runtime.backends import Backend, TimedLayer
from runtime.backends.onnxruntime import ON_CPU, OnnxRuntime

# Of layers that say nothing, such as those which a library adds between two others.
OTHER = "other"
_INCLUDES = "median of each layer as the library's own profiler times it, which slows small layers; their sums by room"
_WARM_UP, _COUNT = 3, 20


def check_profiler(backend: Backend) -> None:
    """Raise :class:`InputError` where the profiler would time launches or conversions rather than layers."""
    if isinstance(backend, OnnxRuntime) and backend.provider != ON_CPU:
        raise InputError(
            f"{backend.path}: --profile: ONNX Runtime times layers on the CPU only; take --provider cpu, or an engine"
        )
    if isinstance(backend, OnnxRuntime) and backend.info.precision == "fp16":
        raise InputError(
            f"{backend.path}: --profile: on a CPU most of an FP16 file is conversions, which ONNX Runtime leaves "
            "without a name; profile the FP32 file, or an engine"
        )


def profile(backend: Backend) -> dict[str, Any]:
    """Time every layer of a network.

    Layers are those that the library made of the file. Which room one belongs to, and which modules of the network it
    computes, say the names of the nodes that it was made of (:mod:`perception.rooms`); where they are of several rooms,
    it is listed under all of them, as ``backbone, encoder``.

    Returns:
        ``rooms``, milliseconds by room; ``layers`` in order of computation, each with ``name``, ``room``, ``modules``
        and ``ms``; and what the times ``includes``.

    Raises:
        InputError: the file says nothing of rooms.
    """
    images = np.zeros((backend.batch, *backend.info.spec.size, 3), np.uint8)
    layers = [
        {"name": layer.name, **_place(layer), "ms": median(layer.ms[_WARM_UP:])}
        for layer in backend.layers(images, _WARM_UP + _COUNT)
    ]
    if all(layer["room"] == OTHER for layer in layers):
        raise InputError(f"{backend.path}: its nodes do not say which part of the network they are; export it again")
    return {"rooms": _sums(layers), "layers": layers, "includes": _INCLUDES}


def _place(layer: TimedLayer) -> dict[str, Any]:
    """``room`` and ``modules``, by the first text that says a room."""
    text = next(filter(rooms_in, (layer.name, *layer.says)), "")
    return {"room": ", ".join(rooms_in(text) or [OTHER]), "modules": layers_in(text)}


def _sums(layers: list[dict[str, Any]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for layer in layers:
        sums[layer["room"]] = sums.get(layer["room"], 0.0) + layer["ms"]
    return sums
