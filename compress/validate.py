"""A torch network evaluated by the same loop and rules as an ONNX file or an engine."""

import itertools
from collections.abc import Iterable
from typing import Any

from perception.evaluation import evaluate
from perception.metrics.protocols import ProtocolName
from perception.networks.base import Network
from perception.networks.inference import inference
from perception.tasks import Sample


def validate(
    network: Network,
    samples: Iterable[Sample],
    protocol: ProtocolName = "rmt-ppad",
    frames: int | None = None,
    batch: int = 8,
) -> dict[str, Any]:
    """Metrics of ``network`` on the first ``frames`` samples; see :func:`perception.evaluation.evaluate`."""
    was_training = network.training
    metrics = evaluate(inference(network), network.spec, itertools.islice(samples, frames), protocol, batch=batch)
    network.train(was_training)
    return metrics
