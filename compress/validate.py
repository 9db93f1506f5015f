"""A torch network evaluated by the same loop and rules as an ONNX file or an engine."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from perception.evaluation import evaluate
from perception.metrics.protocols import ProtocolName
from perception.networks.base import DeployForm, Network
from perception.tasks import Outputs, Sample


def inference(network: Network) -> Callable[[np.ndarray], Outputs]:
    """The network as a function of uint8 ``[N, H, W, 3]`` pictures, in evaluation mode and float32."""
    form = DeployForm(network).eval()
    device = next(network.parameters()).device

    @torch.inference_mode()
    def infer(images: np.ndarray) -> Outputs:
        return Outputs(*(part.cpu().numpy() for part in form(torch.from_numpy(images).to(device))))

    return infer


def validate(
    network: Network,
    samples: Iterable[Sample],
    protocol: ProtocolName = "rmt-ppad",
    frames: int | None = None,
    batch: int = 8,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Metrics of ``network`` on the first ``frames`` samples; see :func:`perception.evaluation.evaluate`."""
    was_training = network.training
    metrics = evaluate(
        inference(network), network.spec, itertools.islice(samples, frames), protocol, batch=batch, progress=progress
    )
    network.train(was_training)
    return metrics
