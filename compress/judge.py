"""What each task's loss is on labelled batches, and how far masks agree with labels, without learning from them."""

from collections.abc import Iterable
from typing import NamedTuple

import torch

from compress.data import Batch, labelled
from compress.processes import summed
from perception.networks.base import Network
from perception.tasks import MASK_TASKS


class Judged(NamedTuple):
    """Of all processes' images, by task; tasks without a label are absent.

    Attributes:
        losses: the mean.
        overlaps: intersection over union of what is above a mask's threshold with what is labelled, in [0, 1], over the
            pixels of all images together; of tasks that have masks.
    """

    losses: dict[str, float]
    overlaps: dict[str, float]


@torch.no_grad()
def judge(network: Network, batches: Iterable[Batch]) -> Judged:
    """How ``network``, which stays in evaluation mode, does on labelled batches."""
    network.eval()
    device = next(network.parameters()).device
    tasks = network.spec.tasks
    masked = [task for task in tasks if task in MASK_TASKS]
    totals, counts, both, either = torch.zeros(4, len(tasks), dtype=torch.float64, device=device)
    for images, targets in batches:
        raw, targets = network(network.normalise(images.to(device))), targets.to(device)
        losses = labelled(network.losses(raw, targets), targets)
        masks = network.decode(raw).masks if masked else {}
        for row, task in enumerate(tasks):
            if task in losses:
                totals[row] += losses[task].double() * len(images)
                counts[row] += len(images)
            if task in masks and task in losses:
                seen, true = masks[task] > network.spec.thresholds[task], getattr(targets, task) > 0
                both[row] += (seen & true).sum()
                either[row] += (seen | true).sum()
    columns = zip(tasks, *(summed(part).tolist() for part in (totals, counts, both, either)), strict=True)
    known = [column for column in columns if column[2]]
    return Judged(
        {task: total / count for task, total, count, _, _ in known},
        {task: shared / max(1.0, joined) for task, _, _, shared, joined in known if task in masked},
    )
