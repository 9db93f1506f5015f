"""Teach a pruned student to see like its teacher: ``panoedge distill FILE --teacher FILE --data DIR --out FILE``.

At each of the network's taps the student's features go through a 1x1 adapter, thrown away afterwards, towards the
teacher's; both are normalised per channel. Heads learn from labels, and from what the teacher answers
(``compress.teaching``).
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress.device import choose
from compress.processes import summed
from compress.teaching import taught
from compress.train import TrainSettings, finish, run
from perception import checkpoint
from perception.errors import InputError, require
from perception.files import check_writable, sha256
from perception.networks.base import Network, Targets

# Of each channel's own variance.
RIDGE = 1e-3


@dataclass(frozen=True)
class DistillSettings:
    """What the student learns from.

    Attributes:
        features: weight of the feature distance.
        answers: weight of the distance to the teacher's answers for tasks that have labels; without, it counts fully.
    """

    features: float = 0.5
    answers: float = 1.0

    def __post_init__(self) -> None:
        """Raises InputError for weights that make no sense."""
        for name in ("features", "answers"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "at least 0")

    def recipe(self, teacher: Path) -> dict[str, Any]:
        """What beside training decides which weights distillation from ``teacher`` ends with, as plain values."""
        return {**asdict(self), "teacher": sha256(teacher)}


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

    Tasks that frames are not labelled for learn from the teacher's answers alone.

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
        return {**taught(student, raw, targets, guide, answer, settings.answers), "features": apart}

    recipe = settings.recipe(teacher)
    trained, record = run(student, loss, training, compute, out, resume, {**recipe, "start": sha256(source)}, distance)
    stage = {"stage": "distill", **training.record(), **record, **recipe}
    finish(out, trained, [*pupil.history, stage])
    return trained


def _check_pair(student: Network, teacher: Network, source: Path, other: Path) -> None:
    if student.name != teacher.name:
        raise InputError(f"{other}: a {teacher.name} cannot teach the {student.name} in {source}")
    if student.spec.tasks != teacher.spec.tasks:
        raise InputError(
            f"{other}: does {', '.join(teacher.spec.tasks)}, but {source} does {', '.join(student.spec.tasks)}"
        )
    if student.spec.size != teacher.spec.size:
        raise InputError(f"{other}: input {teacher.spec.size}, but {source} takes {student.spec.size}")
