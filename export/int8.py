"""Convolutions in 8 bits, with ONNX Runtime's static quantisation: explicit Q/DQ nodes, which TensorRT reads.

Of each convolution the input and the weights are quantised, not the output: the activation behind it is computed from
the whole sum, and TensorRT fuses convolution, activation and the rounding for the next convolution into one kernel.
Scales are symmetric, as TensorRT wants them, one for each tensor of activations and one for each output channel of
weights.
"""

import io
import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from export.graph import INPUT
from export.precision import behind_products
from perception.progress import Progress

# Of a tensor's values on the calibration pictures; those beyond are cut off, so that few do not coarsen all others.
PERCENTILE = 99.99


def quantise(model: onnx.ModelProto, batches: Sequence[np.ndarray], excluded: Collection[str] = ()) -> onnx.ModelProto:
    """A copy of ``model`` whose convolutions compute in 8 bits, except the last one before each output.

    Args:
        model: FP32, all values typed.
        batches: what it takes, to learn the ranges of values from.
        excluded: nodes that are left as they are too, by the names of their first outputs.
    """
    graph = ir.from_proto(model).graph
    _, last = behind_products(graph.outputs)
    left_alone = [node.name for node in graph if node in last or node.outputs[0].name in excluded]
    progress = Progress("calibrate int8", len(batches))
    with progress, tempfile.TemporaryDirectory() as folder, _quiet():
        source, quantised = Path(folder) / "source.onnx", Path(folder) / "quantised.onnx"
        onnx.save(model, source)  # a model that it is given in memory would be changed
        quantize_static(
            source,
            quantised,
            _Reader(batches, progress),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=left_alone,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
                "CalibPercentile": PERCENTILE,
                # Else the activations of all pictures would be in memory at once.
                "CalibStridedMinMax": 1,
            },
        )
        return onnx.load(quantised)


class _Reader(CalibrationDataReader):
    """Hands out a range of batches; the library sets it."""

    def __init__(self, batches: Sequence[np.ndarray], progress: Progress):
        self._batches = batches
        self._progress = progress
        self._next, self._end = 0, len(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Start anew with these batches."""
        self._next, self._end = start_index, end_index

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by the name of the input; None after the last."""
        if self._next == self._end:
            return None
        self._next += 1
        self._progress.step()
        return {INPUT: self._batches[self._next - 1]}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its report on standard output and the advice to optimise a graph that is optimised already."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
