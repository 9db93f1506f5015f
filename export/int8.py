"""Convolutions in 8 bits, with ONNX Runtime's static quantisation: explicit Q/DQ nodes, which TensorRT reads.

Of each convolution the input and the weights are quantised, not the output: the activation behind it is computed from
the whole sum, and TensorRT fuses convolution, activation and the rounding for the next convolution into one kernel.
Scales are symmetric, as TensorRT wants them, one for each tensor of activations and one for each output channel of
weights.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from export.graph import INPUT
from export.precision import behind_products


def quantise(model: onnx.ModelProto, batches: Iterable[np.ndarray]) -> onnx.ModelProto:
    """A copy of ``model`` whose convolutions compute in 8 bits, except the last one before each output.

    Args:
        model: FP32, all values typed.
        batches: what it takes; the largest value that a tensor has on them is the largest that 8 bits hold.
    """
    graph = ir.from_proto(model).graph
    _, last = behind_products(graph.outputs)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        file = Path(folder) / "quantised.onnx"
        quantize_static(
            model,
            file,
            _Reader(batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in last],
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
            },
        )
        return onnx.load(file)


class _Reader(CalibrationDataReader):
    def __init__(self, batches: Iterable[np.ndarray]):
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by the name of the input; None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice to optimise a graph that is optimised already."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
