"""TensorRT's own profiler: what each layer of an engine takes, and the nodes of the ONNX file that it was made of."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from runtime.backends import TimedLayer
from runtime.backends.cuda import Stream


def timed_layers(
    trt: Any, engine: Any, context: Any, enqueue: Callable[[], None], stream: Stream, count: int
) -> list[TimedLayer]:
    """Run an engine ``count`` times, layer by layer.

    Args:
        trt: the module of TensorRT, or of TensorRT-RTX.
        engine: ``ICudaEngine``, built with detailed profiling verbosity.
        context: an execution context of it for nothing else: one with a profiler waits after every inference, and
            cannot be captured.
        enqueue: puts an inference in ``context`` into ``stream``.
        stream: to wait for.
        count: how often.
    """
    times: dict[str, list[float]] = {}

    class Clock(trt.IProfiler):
        def __init__(self):
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            times.setdefault(layer_name, []).append(ms)

    clock = Clock()
    context.profiler = clock
    for _ in range(count):
        enqueue()
        stream.synchronize()
    inspector = engine.create_engine_inspector()
    said = _said(json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON)))
    return [TimedLayer(name, said.get(name, ()), ms) for name, ms in times.items()]


def _said(information: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """By name of a layer the nodes that it was made of, then the values that it gives and takes. Engines built without
    details list names only."""
    details = [layer for layer in information["Layers"] if isinstance(layer, dict)]
    return {
        layer["Name"]: (
            layer.get("Metadata", ""),
            *(tensor["Name"] for side in ("Outputs", "Inputs") for tensor in layer.get(side, [])),
        )
        for layer in details
    }
