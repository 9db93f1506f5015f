"""What each task's loss is on labelled batches, without learning from them."""

from collections.abc import Iterable

import torch

from compress.data import Batch, labelled
from compress.processes import summed
from perception.networks.base import Network


@torch.no_grad()
def mean_losses(network: Network, batches: Iterable[Batch]) -> dict[str, float]:
    """Mean loss by task over the images of all processes' ``batches`` that are labelled for it, in evaluation mode.

    Tasks without any are absent. ``network`` stays in evaluation mode.
    """
    network.eval()
    device = next(network.parameters()).device
    tasks = network.spec.tasks
    totals, counts = torch.zeros(2, len(tasks), dtype=torch.float64, device=device)
    for images, targets in batches:
        losses = labelled(network.losses(network(network.normalise(images.to(device))), targets.to(device)), targets)
        for row, task in enumerate(tasks):
            if task in losses:
                totals[row] += losses[task].double() * len(images)
                counts[row] += len(images)
    found = zip(tasks, summed(totals).tolist(), summed(counts).tolist(), strict=True)
    return {task: total / count for task, total, count in found if count}
