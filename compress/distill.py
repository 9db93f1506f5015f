"""Teach a pruned student to see like its teacher: ``panoedge distill FILE --teacher FILE --data DIR --out FILE``.

At each of the network's taps the student's features go through a 1x1 adapter, thrown away afterwards, towards the
teacher's; both are normalised per channel. Heads are not distilled: they learn from labels, or, where frames have none,
from what the teacher sees.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from compress.device import choose
from compress.processes import summed
from compress.train import TrainSettings, finish, run
from perception import checkpoint
from perception.boxes import nms
from perception.errors import InputError
from perception.files import check_writable, sha256
from perception.networks.base import Decoded, Network, Targets
from perception.tasks import DETECTION, DRIVABLE, LANE, MASK_TASKS

# Of each channel's own variance.
RIDGE = 1e-3


@dataclass(frozen=True)
class DistillSettings:
    """What the student learns from.

    Attributes:
        features: weight of the feature distance.
        confidence: a teacher's box counts as an object from this score on.
        overlap: IoU above which of two such boxes the weaker is dropped.
    """

    features: float = 0.5
    confidence: float = 0.4
    overlap: float = 0.5


class Taps:
    """Outputs of a network's tap modules, caught as it runs."""

    def __init__(self, network: Network):
        self.features: dict[str, Tensor] = {}
        for name, path in network.taps.items():
            network.get_submodule(path).register_forward_hook(self._keep(name))

    def _keep(self, name: str):
        def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            self.features[name] = output

        return hook


class FeatureDistance(nn.Module):
    """Mean squared distance of channel-normalised features over all taps; holds the adapters.

    Every channel is standardised over the batch (zero mean, unit variance), so the distance is that of patterns, not of
    scales: with unit variances it equals 2 - 2 r, r the correlation of a channel with its counterpart (PKD, Cao et al.,
    2022).

    Adapters begin where they fit the first batch best, so that the distance is from the start what the student lacks,
    not what a new adapter has yet to learn.
    """

    fitted: Tensor

    def __init__(self, student: dict[str, Tensor], teacher: dict[str, Tensor]):
        super().__init__()
        pairs = {name: (feature.shape[1], teacher[name].shape[1]) for name, feature in student.items()}
        self.adapters = nn.ModuleDict(
            {name: nn.Conv2d(inputs, outputs, 1, bias=False) for name, (inputs, outputs) in pairs.items()}
        )
        self.register_buffer("fitted", torch.tensor(False))

    def forward(self, student: dict[str, Tensor], teacher: dict[str, Tensor]) -> Tensor:
        """Features ``[N, C, h, w]`` by tap name to one scalar."""
        if not self.fitted:
            self._fit(student, teacher)
        distances = [
            (standardise(adapter(student[name])) - standardise(teacher[name])).square().mean()
            for name, adapter in self.adapters.items()
        ]
        return torch.stack(distances).mean()

    @torch.no_grad()
    def _fit(self, student: dict[str, Tensor], teacher: dict[str, Tensor]) -> None:
        """Least squares over the parts of all processes, with a little ridge regression for channels that depend on
        each other."""
        for name, adapter in self.adapters.items():
            mine = student[name].double()
            mine = _by_channel(mine - mine.mean((0, 2, 3), keepdim=True))
            products = summed(mine @ torch.cat((mine, _by_channel(standardise(teacher[name]).double()))).T)
            own, other = products.split((len(mine), len(products.T) - len(mine)), 1)
            ridge = RIDGE * (own.diagonal() + own.diagonal().mean() + 1e-12)
            adapter.get_parameter("weight").copy_(torch.linalg.solve(own + ridge.diag(), other).T[..., None, None])
        self.fitted.fill_(True)


def _by_channel(features: Tensor) -> Tensor:
    """``[N, C, h, w]`` to ``[C, N h w]``."""
    return features.transpose(0, 1).flatten(1)


def standardise(features: Tensor) -> Tensor:
    """Zero mean and unit variance of each channel over batch and positions, in float32."""
    features = features.float()
    variance, mean = torch.var_mean(features, (0, 2, 3), keepdim=True, correction=0)
    return (features - mean) * (variance + 1e-6).rsqrt()


def distill(
    source: Path,
    teacher: Path,
    training: TrainSettings,
    settings: DistillSettings,
    out: Path,
    resume: bool = False,
) -> Network:
    """Train the student in ``source`` towards ``teacher`` and write it to ``out``.

    For tasks that frames are not labelled for, the teacher's answers stand in.

    Raises:
        InputError: for files or data that cannot be used, or networks that do not match.
    """
    check_writable(out)
    torch.manual_seed(training.schedule.seed)
    pupil, master = checkpoint.load(source), checkpoint.load(teacher)
    student, guide = pupil.network, master.network.requires_grad_(False)
    _check_pair(student, guide, source, teacher)
    compute = choose(training.device, training.precision)
    guide.to(compute.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    seen, shown = Taps(student), Taps(guide)
    with torch.no_grad():
        probe = torch.zeros(1, 3, *student.spec.size)
        student.eval()(probe)
        guide(probe.to(compute.device))
    distance = FeatureDistance(seen.features, shown.features)

    def loss(images: Tensor, targets: Targets) -> dict[str, Tensor]:
        with compute.autocast():
            pictures = student.normalise(images)
            with torch.no_grad():
                answer = guide(pictures)
            raw = student(pictures)
            apart = settings.features * distance(seen.features, shown.features)
        if not set(targets.tasks) >= set(student.spec.tasks):
            targets = _joined(targets, teacher_targets(guide, answer, pictures.shape, settings))
        return {**student.losses(raw, targets), "features": apart}

    trained, record = run(student, loss, training, compute, out, resume, distance)
    stage = {
        "stage": "distill",
        **asdict(settings),
        **training.record(),
        **record,
        "teacher": sha256(teacher),
    }
    finish(out, trained, [*pupil.history, stage])
    return trained


def teacher_targets(teacher: Network, raw: dict, size: torch.Size, settings: DistillSettings) -> Targets:
    """What the teacher sees in a batch, as labels; those of a task that it does not have are empty.

    Args:
        teacher: on any device.
        raw: what it answered.
        size: of the batch, ``[N, ..., H, W]`` or ``[N, H, W]``.
        settings: which boxes count.
    """
    decoded = teacher.decode(raw)
    device = next(teacher.parameters()).device
    masks = []
    for task in MASK_TASKS:
        seen = getattr(decoded, task)
        nothing = torch.zeros(size[0], *size[-2:], dtype=torch.uint8, device=device)
        masks.append(nothing if seen is None else (seen > teacher.spec.thresholds[task]).to(torch.uint8))
    drivable, lane = masks
    return Targets(_sure_boxes(decoded, settings).to(device), drivable, lane)


def _joined(labels: Targets, seen: Targets) -> Targets:
    """The labels of the tasks that have some, and what the teacher sees of the others."""
    parts = {DETECTION: "boxes", DRIVABLE: "drivable", LANE: "lane"}
    return seen._replace(**{part: getattr(labels, part) for task, part in parts.items() if task in labels.tasks})


def _sure_boxes(decoded: Decoded, settings: DistillSettings) -> Tensor:
    """Confident boxes after suppression, as in :class:`perception.networks.base.Targets`."""
    rows = [torch.zeros(0, 5)]
    if decoded.boxes is not None and decoded.scores is not None:
        for number, (boxes, scores) in enumerate(zip(decoded.boxes.cpu(), decoded.scores.cpu(), strict=True)):
            sure = scores >= settings.confidence
            boxes, scores = boxes[sure].float(), scores[sure].float()
            kept = nms(boxes.numpy(), scores.numpy(), settings.overlap, 300)
            rows.append(nn.functional.pad(boxes[torch.from_numpy(kept)], (1, 0), value=number))
    return torch.cat(rows)


def _check_pair(student: Network, teacher: Network, source: Path, other: Path) -> None:
    if student.name != teacher.name:
        raise InputError(f"{other}: a {teacher.name} cannot teach the {student.name} in {source}")
    if student.spec.size != teacher.spec.size:
        raise InputError(f"{other}: input {teacher.spec.size}, but {source} takes {student.spec.size}")
