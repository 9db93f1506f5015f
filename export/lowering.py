"""From the FP32 graph to the precision that is asked for, with what pictures tell about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from export.calibration import find_lossy, find_named, measure
from export.graph import tidy
from export.int8 import quantise
from export.precision import CONVERSIONS, Kept, to_fp16
from perception.errors import InputError
from perception.pictures import batches, learn_from
from perception.progress import track
from perception.spec import InputSpec, Precision

# The largest errors that single nodes may make in FP16, tried one after the other. Rounding alone is 0.02 % to 0.06 %.
BOUNDS = (0.01, 0.003, 0.001)
# So many pictures are measured on.
FP16_PICTURES = 8
INT8_PICTURES = 64
# Kept nodes are listed one by one up to so many for one reason.
_LISTED = 3


@dataclass(frozen=True)
class Calibration:
    """What the precision of each node is decided on.

    Attributes:
        images: picture, folder or video.
        data: labelled data set, where there are no ``images``; its ``train`` split where it has one. Where there are
            neither, FP16 is measured on generated scenes.
        fp32_nodes: patterns of the names of nodes, or of their weights, that stay FP32 in place of those which
            measuring finds.
    """

    images: Path | None = None
    data: Path | None = None
    fp32_nodes: tuple[str, ...] = ()

    def check(self, precision: Precision) -> None:
        """Raise :class:`InputError` where this does not go with ``precision``."""
        if precision == "int8" and self.images is None and self.data is None:
            raise InputError("--precision int8: needs pictures to calibrate on; name some with --images or --data")
        if precision == "fp32" and self.fp32_nodes:
            raise InputError("--fp32-nodes: goes with --precision fp16 or int8, all nodes of fp32 stay FP32")


def lowered(
    model: onnx.ModelProto, precision: Precision, spec: InputSpec, calibration: Calibration
) -> Iterator[tuple[onnx.ModelProto, list[Kept]]]:
    """``model`` in another precision, with the nodes that stay FP32 there: the fastest candidate first, then ones that
    keep more nodes in FP32, should the first not be good enough.

    Args:
        model: FP32, all values typed.
        precision: of weights and activations; ``int8`` is 8 bits in convolutions and FP16 elsewhere.
        spec: how pictures go in.
        calibration: see :class:`Calibration`.

    Raises:
        InputError: pictures cannot be read, a pattern matches nothing, or :meth:`Calibration.check`.
    """
    calibration.check(precision)
    if precision == "fp32":
        yield model, []
        return
    graph = ir.from_proto(model).graph
    named = find_named(graph, calibration.fp32_nodes)
    if named:
        choices = [named]
    else:
        looked_at = _batches(model, spec, calibration, FP16_PICTURES)
        losses = measure(model, track(looked_at, None, "calibrate fp16"))
        choices = [find_lossy(graph, losses, bound) for bound in BOUNDS]
    if precision == "int8":
        pictures = list(_batches(model, spec, calibration, INT8_PICTURES))
        model = tidy(ir.from_proto(quantise(model, pictures, named)))
    for lossy in {frozenset(lossy): lossy for lossy in choices}.values():
        typed = ir.from_proto(model)
        kept = to_fp16(typed, lossy)
        yield tidy(typed), kept


def describe(kept: list[Kept]) -> str:
    """Which nodes do not become FP16 and why, the most frequent reason first."""
    by_reason: dict[str, list[Kept]] = {}
    for node in kept:
        if node.operator not in CONVERSIONS:
            by_reason.setdefault(node.why, []).append(node)
    lines = ["nodes  not in FP16"]
    for why, nodes in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        listed = ", ".join(f"{node.operator} {node.node}" for node in nodes[:_LISTED])
        lines.append(f"{len(nodes):5}  {why}: {listed}{', ...' if len(nodes) > _LISTED else ''}")
    return "\n".join(lines) + "\n"


def _batches(model: onnx.ModelProto, spec: InputSpec, calibration: Calibration, most: int) -> Iterator[np.ndarray]:
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    pictures = learn_from(calibration.images, calibration.data, most)
    return (pixels for pixels, _ in batches(pictures, spec, batch))
