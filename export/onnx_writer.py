"""Write a checkpoint's network as the ONNX file that ONNX Runtime and TensorRT run.

    deployed = export_onnx(Path("student.safetensors"), Path("student.onnx"), precision="fp16")

The file takes bytes and answers boxes, scores and byte masks (:class:`perception.networks.base.DeployForm`), so that
scaling, layout and decoding are inside. Its shapes are fixed. The same checkpoint and versions give the same bytes.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import onnx
import onnx_ir as ir
import torch

from export.graph import INPUT, OPSET, check, simplify, tidy
from export.lowering import Calibration, describe, lowered
from export.operators import check_operators
from export.parity import require_parity
from export.rooms import name_layers, name_rooms
from export.upsampling import absorb_upsampling
from perception import checkpoint
from perception.cost import cost
from perception.errors import GateFailed, InputError
from perception.files import atomic, check_writable, sha256
from perception.geometry import check_size
from perception.networks.base import DeployForm, Network
from perception.rooms import BACKBONE
from perception.spec import ONNX_METADATA_KEY, Deployed, Precision
from perception.tasks import output_names

# Looks at a finished file and raises GateFailed where it does not do what the network does.
Check = Callable[[Network, Path], object]


def export_onnx(
    source: Path,
    out: Path,
    precision: Precision = "fp32",
    size: tuple[int, int] | None = None,
    batch: int = 1,
    agree: Check = require_parity,
    calibration: Calibration | None = None,
    tell: Callable[[str], None] = lambda lines: None,
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> Deployed:
    """Write the network of checkpoint ``source`` to ``out``, unless the file would not agree with it.

    Args:
        source: checkpoint, see :mod:`perception.checkpoint`.
        out: ONNX file to write.
        precision: of weights and activations.
        size: input ``(height, width)`` in pixels; the checkpoint's own when absent.
        batch: pictures an inference takes, fixed.
        agree: compares the network with the file before it gets its name; see :mod:`export.parity`. What does not
            agree in FP16 is tried again with more nodes in FP32.
        calibration: what the precision of each node is decided on; generated scenes when absent.
        tell: hears which nodes stay FP32 and why.
        thresholds: probability above which a pixel counts, of the mask tasks for which it is not to be the
            checkpoint's.

    Returns:
        What the file says of itself.

    Raises:
        InputError: ``source`` is no checkpoint, ``size`` no multiple of 32, ``batch`` below 1, ``out`` cannot be
            written, ``calibration`` cannot be used, or the network does not keep to
            :class:`~perception.networks.base.Network`.
        GateFailed: the file and the network disagree; nothing is written.
    """
    if batch < 1:
        raise InputError(f"batch {batch}: must be 1 or more")
    calibration = calibration or Calibration()
    calibration.check(precision)
    check_writable(out)
    network = checkpoint.load(source).network
    if size is not None:
        network.spec = replace(network.spec, size=check_size(size))
    network.spec = replace(network.spec, thresholds={**network.spec.thresholds, **thresholds})
    costs = cost(network)
    deployed = Deployed(network.name, network.spec, precision, costs.parameters, costs.macs, sha256(source))
    disagreement = ""
    for model, kept in lowered(trace(network, batch), precision, network.spec, calibration):
        if disagreement:
            tell(f"again with more nodes in FP32: {disagreement}")
        if kept:
            tell(describe(kept))
        try:
            with atomic(out) as temporary:
                onnx.save(finished(model, deployed), temporary)
                agree(network, temporary)
        except GateFailed as failure:
            disagreement = str(failure)
        else:
            return deployed
    raise GateFailed(f"{out}: not written, {disagreement}")


def trace(network: Network, batch: int = 1) -> onnx.ModelProto:
    """The deploy form of ``network`` as an FP32 graph without what says nothing about the function; names say the
    room and the layer of each node, see :mod:`perception.rooms`.

    Raises:
        InputError: the network does not keep to :class:`~perception.networks.base.Network`.
    """
    traced = ir.from_proto(_trace(network, batch))
    name_layers(traced.graph)
    model = ir.from_proto(simplify(ir.to_proto(traced)))
    name_layers(model.graph)
    absorb_upsampling(model.graph)
    name_rooms(model.graph, network.regions.get(BACKBONE, ()))
    return tidy(model)


def finished(model: onnx.ModelProto, deployed: Deployed) -> onnx.ModelProto:
    """Check ``model`` and label it with ``deployed``.

    Raises:
        InputError: the network does not keep to :class:`~perception.networks.base.Network`.
    """
    check(model, deployed.network, output_names(deployed.spec.tasks))
    check_operators(ir.from_proto(model), deployed.network)
    onnx.helper.set_model_props(model, {ONNX_METADATA_KEY: json.dumps(deployed.to_json())})
    return model


def _trace(network: Network, batch: int) -> onnx.ModelProto:
    image = torch.zeros(batch, *network.spec.size, 3, dtype=torch.uint8)
    form = DeployForm(network).eval()
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            form,
            (image,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(form.output_names),
            verbose=False,
        )
    return program.model_proto  # type: ignore[union-attr]  # None without dynamo only


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages it does not find, on constants it leaves to the simplifier and on its
    own deprecated calls."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
