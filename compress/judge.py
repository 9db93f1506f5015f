"""How each task does on labelled batches, without learning from them: its loss, and what it shows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from compress.data import Batch, labelled
from compress.processes import collected, summed
from perception.geometry import fit
from perception.metrics.protocols import MAX_BOXES, NMS_IOU, RmtPpad
from perception.networks.base import Decoded, Network, Targets
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import DETECTION, MASK_TASKS, Outputs

# Of one image the boxes found [P, 4], their scores [P] and the labelled boxes [G, 4], in input pixels.
Boxes = tuple[np.ndarray, np.ndarray, np.ndarray]


class Judged(NamedTuple):
    """Of all processes' images, by task; tasks without a label are absent.

    Attributes:
        losses: the mean.
        scores: in [0, 1], the more the better. Of detection the average precision at an IoU of 0.5, by the protocol
            ``rmt-ppad``; of a mask intersection over union of what is above its threshold with what is labelled, over
            the pixels of all images together.
    """

    losses: dict[str, float]
    scores: dict[str, float]


@torch.no_grad()
def judge(network: Network, batches: Iterable[Batch]) -> Judged:
    """How ``network``, which stays in evaluation mode, does on labelled batches."""
    network.eval()
    device = next(network.parameters()).device
    tasks = network.spec.tasks
    totals, counts, both, either = torch.zeros(4, len(tasks), dtype=torch.float64, device=device)
    boxes: list[Boxes] = []
    for images, targets in batches:
        raw, targets = network(network.normalise(images.to(device))), targets.to(device)
        losses = labelled(network.losses(raw, targets), targets)
        decoded = network.decode(raw)
        if DETECTION in losses:
            boxes += _boxes(decoded, targets, network.spec)
        for row, task in enumerate(tasks):
            if task in losses:
                totals[row] += losses[task].double() * len(images)
                counts[row] += len(images)
            if task in losses and task in decoded.masks:
                seen, true = decoded.masks[task] > network.spec.thresholds[task], getattr(targets, task) > 0
                both[row] += (seen & true).sum()
                either[row] += (seen | true).sum()
    columns = zip(tasks, *(summed(part).tolist() for part in (totals, counts, both, either)), strict=True)
    known = [column for column in columns if column[2]]
    scores = {task: shared / max(1.0, joined) for task, _, _, shared, joined in known if task in MASK_TASKS}
    if everywhere := collected(boxes):
        scores = {DETECTION: _average_precision(everywhere), **scores}
    return Judged({task: total / count for task, total, count, _, _ in known}, scores)


def _boxes(decoded: Decoded, targets: Targets, spec: InputSpec) -> Iterator[Boxes]:
    if decoded.boxes is None or decoded.scores is None:
        raise TypeError("a network with a loss of detection decodes no boxes")
    found = Outputs(boxes=decoded.boxes.float().cpu().numpy(), scores=decoded.scores.float().cpu().numpy())
    labels = targets.boxes.cpu().numpy()
    # The input is the picture: labels are in its pixels too.
    placed, least = fit(spec.size, spec.size, spec.resize), RmtPpad().min_score(spec.needs_nms)
    for index in range(len(decoded.boxes)):
        seen = postprocess(found, index, spec, placed, least, NMS_IOU, MAX_BOXES, clip=RmtPpad.clip_boxes)
        yield seen.boxes, seen.scores, labels[labels[:, 0] == index, 1:]


def _average_precision(images: Iterable[Boxes]) -> float:
    evaluator = RmtPpad()
    for boxes, scores, truth in images:
        evaluator.add_boxes(boxes, scores, truth)
    return float(evaluator.result()[DETECTION]["mAP50"])
