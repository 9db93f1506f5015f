"""An exported file in ONNX Runtime, as a function from pictures to outputs."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx_ir import DataType

from export.graph import INPUT
from perception.evaluation import Infer
from perception.spec import ONNX_METADATA_KEY, Deployed
from perception.tasks import Outputs, output_names


@dataclass(frozen=True)
class Session:
    """An exported file, opened on the CPU.

    Attributes:
        infer: answers for uint8 ``[batch, H, W, 3]`` pictures.
        info: what the file says of itself.
        batch: pictures an inference takes.
    """

    infer: Infer
    info: Deployed
    batch: int


def open_session(path: Path) -> Session:
    """Open a file that :mod:`export.onnx_writer` wrote.

    Most CPUs have no FP16 arithmetic, and ONNX Runtime then computes in FP32 and skips the roundings in between: a
    network that overflows on a board looks sound. So every FP16 value of a file is made to be stored here.
    """
    session = _open(str(path))
    deployed = Deployed.from_json(json.loads(session.get_modelmeta().custom_metadata_map[ONNX_METADATA_KEY]))
    if deployed.precision != "fp32":
        session = _open(_with_stored_values(ir.load(path)), onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)

    tasks = deployed.spec.tasks

    def infer(images: np.ndarray) -> Outputs:
        return Outputs.of(tasks, session.run(output_names(tasks), {INPUT: images}))

    return Session(infer, deployed, session.get_inputs()[0].shape[0])


def _open(model: str | bytes, level: int = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _with_stored_values(model: ir.Model) -> bytes:
    """The model with copies of every FP16 value, which keep ONNX Runtime from passing it on in FP32.

    Two copies, because a single FP16 operator among FP32 ones is turned to FP32 as well.
    """
    for node in list(model.graph):
        for value in (output for output in node.outputs if output.dtype == DataType.FLOAT16):
            first = ir.Node("", "Identity", [value])
            second = ir.Node("", "Identity", first.outputs)
            ir.convenience.replace_all_uses_with(value, second.outputs[0])
            first.replace_input_with(0, value)
            model.graph.insert_after(node, (first, second))
    return ir.to_proto(model).SerializeToString()
