"""What a student's heads learn: from labels, and from what the teacher answered to the same pictures."""

import torch
from torch import Tensor, nn

from perception.boxes import nms
from perception.networks.base import Decoded, Network, Raw, Targets
from perception.tasks import DETECTION, DRIVABLE, LANE, MASK_TASKS

# Where a network can only learn its teacher's boxes as if they were labels: those of at least this score count as
# objects, and of two that overlap more than that (IoU) the weaker is dropped.
CONFIDENCE = 0.4
OVERLAP = 0.5


def taught(
    student: Network, raw: Raw, targets: Targets, teacher: Network, answer: Raw, weight: float
) -> dict[str, Tensor]:
    """One loss a task: of the labels, and of the distance to what the teacher answered.

    A task without labels learns from the teacher alone; where the network cannot tell a distance
    (``Network.imitation``), from its answers as if they were labels.

    Args:
        student: in training.
        raw: what it answered.
        targets: labels of the batch, for some of the tasks or none.
        teacher: in evaluation mode.
        answer: what that answered, without gradients.
        weight: of the distance where there are labels too.
    """
    tasks = student.spec.tasks
    unlabelled = set(tasks) - set(targets.tasks)
    apart = student.imitation(raw, answer) if unlabelled or weight else {}
    if unlabelled - apart.keys():
        targets = _joined(targets, teacher_targets(teacher, answer, targets.lane.shape))
    copied = unlabelled & apart.keys()
    losses = student.losses(raw, targets) if copied != set(tasks) else {}
    for task in apart:
        losses[task] = apart[task] if task in copied else losses[task] + weight * apart[task]
    return losses


def teacher_targets(teacher: Network, raw: Raw, size: torch.Size, confidence: float = CONFIDENCE) -> Targets:
    """What the teacher sees in a batch, as labels; those of a task that it does not have are empty.

    Args:
        teacher: on any device.
        raw: what it answered.
        size: of the batch, ``[N, H, W]``.
        confidence: from which on boxes count.
    """
    decoded = teacher.decode(raw)
    device = next(teacher.parameters()).device
    masks = {task: torch.zeros(size, dtype=torch.uint8, device=device) for task in MASK_TASKS}
    masks |= {task: (seen > teacher.spec.thresholds[task]).to(torch.uint8) for task, seen in decoded.masks.items()}
    return Targets(_sure_boxes(decoded, confidence).to(device), masks[DRIVABLE], masks[LANE])


def _joined(labels: Targets, seen: Targets) -> Targets:
    """The labels of the tasks that have some, and what the teacher sees of the others."""
    parts = {DETECTION: "boxes", DRIVABLE: "drivable", LANE: "lane"}
    return seen._replace(**{part: getattr(labels, part) for task, part in parts.items() if task in labels.tasks})


def _sure_boxes(decoded: Decoded, confidence: float) -> Tensor:
    """Confident boxes after suppression, as in :class:`perception.networks.base.Targets`."""
    rows = [torch.zeros(0, 5)]
    if decoded.boxes is not None and decoded.scores is not None:
        for number, (boxes, scores) in enumerate(zip(decoded.boxes.cpu(), decoded.scores.cpu(), strict=True)):
            sure = scores >= confidence
            boxes, scores = boxes[sure].float(), scores[sure].float()
            kept = nms(boxes.numpy(), scores.numpy(), OVERLAP, 300)
            rows.append(nn.functional.pad(boxes[torch.from_numpy(kept)], (1, 0), value=number))
    return torch.cat(rows)
