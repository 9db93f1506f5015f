"""Batch norms after a removal: measured again, and moved as far as the tasks are better off."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from compress.data import Batch
from compress.judge import Judged, judge
from compress.processes import summed
from perception.errors import InputError
from perception.networks.base import Network

# How far from what was learnt to what is measured a network may go.
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)


def settle(network: Network, batches: Iterable[Batch], judges: Iterable[Batch]) -> float:
    """Move every batch norm's mean and variance towards plain averages over ``batches`` of all processes.

    Where much was removed, those that were learnt fit no longer. Where little that matters was, channels that are left
    still have the scale that later layers know, and new averages would take it from them. So the tasks decide over
    ``judges``, by the product of their scores, in which what is small by nature counts as much as others; by the
    product of their losses where every place loses a task.

    Returns:
        How far they went: 0 as learnt, 1 all the way.

    Raises:
        InputError: without a batch, or where an average is not finite.
    """
    learnt = _statistics(network)
    reestimate(network, batches)
    measured = _statistics(network)
    seen = list(judges)

    def move(step: float) -> None:
        for name, value in network.named_buffers():
            if name in learnt:
                value.copy_(torch.lerp(learnt[name], measured[name], step))

    def lost(step: float) -> tuple[float, float]:
        move(step)
        return _lost(judge(network, seen))

    best = min(STEPS, key=lost)
    move(best)
    return best


def _lost(found: Judged) -> tuple[float, float]:
    """Less is better: tasks by their scores, those without one by their losses; then all by their losses."""
    score = math.prod(found.scores.values())
    others = math.prod(loss for task, loss in found.losses.items() if task not in found.scores)
    by_score, by_loss = others / score if score else math.inf, math.prod(found.losses.values())
    return by_score if math.isfinite(by_score) else math.inf, by_loss if math.isfinite(by_loss) else math.inf


@torch.no_grad()
def reestimate(network: Network, batches: Iterable[Batch]) -> None:
    """Set every batch norm's mean and variance to plain averages over ``batches`` of all processes; weights stay.

    Raises:
        InputError: without a batch, or where an average is not finite.
    """
    norms = list(_norms(network).values())
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    network.train()
    device = next(network.parameters()).device
    seen = 0
    for images, _ in batches:
        network(network.normalise(images.to(device)))
        seen += 1
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    total = summed(torch.tensor(seen, dtype=torch.float64, device=device))
    if not total:
        raise InputError("batch-norm re-estimation: no calibration frames")
    for average in (buffer for norm in norms for buffer in norm.buffers() if buffer.is_floating_point()):
        average.copy_(summed(seen * average.double()) / total)
        if not average.isfinite().all():
            raise InputError(f"{network.name}: batch norms' averages are not finite; its weights are not either")


def _statistics(network: Network) -> dict[str, Tensor]:
    """Copies of the means and variances of all batch norms, by name of the buffer."""
    return {
        f"{path}.{name}": buffer.clone()
        for path, norm in _norms(network).items()
        for name, buffer in norm.named_buffers()
        if buffer.is_floating_point()
    }


def _norms(network: Network) -> dict[str, BatchNorm]:
    return {path: module for path, module in network.named_modules() if isinstance(module, BatchNorm)}
