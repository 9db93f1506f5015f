"""What the rest of the project asks of a network. A user's own joins by subclassing :class:`Network`."""

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.networks.divergence import divergence
from perception.spec import InputSpec
from perception.tasks import DRIVABLE, LANE, MASK_TASKS, TASKS, output_names

# A network's raw outputs by task; what stands under each task is the network's own affair.
Raw = dict[str, Any]


class Targets(NamedTuple):
    """Labels of a batch in network-input pixels.

    Attributes:
        boxes: float ``[M, 5]``: index of the image in the batch, then x1, y1, x2, y2.
        drivable: uint8 ``[N, H, W]``, 0 or 1.
        lane: uint8 ``[N, H, W]``, 0 or 1.
        tasks: those that all images of the batch are labelled for; what belongs to others is empty.
        names: of the frames, for messages.
    """

    boxes: Tensor
    drivable: Tensor
    lane: Tensor
    tasks: tuple[str, ...] = TASKS
    names: tuple[str, ...] = ()

    def to(self, device: torch.device | str) -> "Targets":
        """The same labels on another device."""
        boxes, drivable, lane = (part.to(device, non_blocking=True) for part in self[:3])
        return self._replace(boxes=boxes, drivable=drivable, lane=lane)


class Decoded(NamedTuple):
    """Raw outputs read: boxes ``[N, K, 4]`` (x1, y1, x2, y2, input pixels), scores ``[N, K]``, probabilities
    ``[N, H, W]`` of the two masks; None for a task that is not in ``Network.spec.tasks``."""

    boxes: Tensor | None = None
    scores: Tensor | None = None
    drivable: Tensor | None = None
    lane: Tensor | None = None

    @property
    def masks(self) -> dict[str, Tensor]:
        """Those that there are, by task."""
        return {task: mask for task, mask in ((DRIVABLE, self.drivable), (LANE, self.lane)) if mask is not None}


class Network(nn.Module):
    """A multi-task perception network.

    Class attributes:
        name: the name in checkpoints and on the command line.
        taps: modules whose outputs are distilled, path by tap name.
        regions: which modules may lose channels: paths (prefixes) by region name; the first is the default. One
            that is called ``backbone`` is told apart in exported files and in what is measured of them.
        protected: paths of layers whose outputs have a fixed meaning and keep every channel.
        mean, std: what images in [0, 1] are normalised with, per channel.
        mask_strides: what its argument ``mask_stride`` may be, where it has one: pixels between the positions that mask
            heads compute at.

    Attributes:
        config: keyword arguments that make the same network again, JSON values only.
        spec: input geometry and thresholds.
    """

    name: ClassVar[str]
    taps: ClassVar[dict[str, str]]
    regions: ClassVar[dict[str, tuple[str, ...]]]
    protected: ClassVar[tuple[str, ...]]
    mean: ClassVar[tuple[float, float, float]] = (0.0, 0.0, 0.0)
    std: ClassVar[tuple[float, float, float]] = (1.0, 1.0, 1.0)
    mask_strides: ClassVar[tuple[int, ...]] = ()

    config: dict[str, Any]
    spec: InputSpec

    def forward(self, images: Tensor) -> Raw:
        """Normalised images ``[N, 3, H, W]`` to raw outputs by task."""
        raise NotImplementedError

    def losses(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """One scalar a task, weighted so that their sum is the training loss."""
        raise NotImplementedError

    def imitation(self, raw: Raw, answer: Raw) -> dict[str, Tensor]:
        """How far ``raw`` is from what a teacher answered, one scalar a task: what pictures without labels teach.

        Least where both are the same, which ``losses`` are not where the teacher is unsure. This one knows mask tasks;
        a task that is left out learns from the teacher's answers as if they were labels.

        Args:
            raw: of this network.
            answer: of a network of the same class to the same images, without gradients.
        """
        mine, other = (
            {task: mask.float().logit(1e-6) for task, mask in self.decode(part).masks.items()} for part in (raw, answer)
        )
        return {task: divergence(logits, other[task]) for task, logits in mine.items()}

    def decode(self, raw: Raw) -> Decoded:
        """Raw outputs to boxes, scores and probabilities; traceable for export."""
        raise NotImplementedError

    def fused(self) -> "Network":
        """The same function of fewer weights, for inference alone: what is deployed, and what all costs are counted of.

        The network itself where there is nothing to fold; otherwise a copy in evaluation mode, on the same device.
        Layers that remain keep their paths; those folded into others are gone from theirs.
        """
        return self

    def upsampled(self, path: str, factor: int, maps: Tensor) -> Tensor:
        """``maps`` as layer ``path`` reads them on a ``factor`` times finer grid, by what a coarser ``mask_stride``
        leaves out before it; affine. Here the nearest value is repeated."""
        return functional.interpolate(maps, scale_factor=factor, mode="nearest")

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 ``[N, H, W, 3]`` RGB to the float ``[N, 3, H, W]`` that :meth:`forward` takes."""
        kind = next(self.parameters()).dtype
        mean, std = (torch.tensor(v, dtype=kind, device=images.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (images.to(kind).permute(0, 3, 1, 2) / 255 - mean) / std


class DeployForm(nn.Module):
    """A network as it is deployed: fused, bytes in, boxes, scores and byte masks out (the ONNX file's inputs and
    outputs)."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network.fused()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``[N, H, W, 3]`` RGB to what ``output_names`` lists, as ``perception.tasks.Outputs`` has it."""
        decoded = self.network.decode(self.network(self.network.normalise(image)))
        answers: dict[str, Tensor] = {}
        for name, value in decoded._asdict().items():
            if name in MASK_TASKS and value is not None:
                answers |= {name: _to_bytes(value), f"{name}_mean": value.float().mean((1, 2))}
            elif value is not None:
                answers[name] = value.float()
        return tuple(answers[name] for name in self.output_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Of the network's tasks, in order."""
        return output_names(self.network.spec.tasks)


def _to_bytes(probability: Tensor) -> Tensor:
    return (probability * 255 + 0.5).to(torch.uint8)
