"""RMT-PPAD: RT-DETR-L's backbone, encoder and detector with gated adapters and one decoder for both masks.

J. Wang et al., "RMT-PPAD: Real-time Multi-task Learning for Panoptic Perception in Autonomous Driving", 2025. Written
from published facts; module indices follow the authors' checkpoints, so the keys of ``best.pt`` load as they are.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from perception.errors import require
from perception.geometry import check_size
from perception.networks.base import Decoded, Network, Raw, Targets
from perception.networks.layers import Concat, Upsample, chain, check_width, scaled
from perception.networks.overlap import corners
from perception.networks.rmt_ppad.backbone import HGBlock, HGStem
from perception.networks.rmt_ppad.denoising import denoising_loss, noised_queries
from perception.networks.rmt_ppad.encoder import AIFI, RepC3
from perception.networks.rmt_ppad.head import Head
from perception.networks.rmt_ppad.layers import Conv, DepthwiseConv, RepConv
from perception.networks.rmt_ppad.losses import (
    detection_imitation,
    detection_loss,
    drivable_loss,
    lane_loss,
    mask_imitation,
)
from perception.networks.rmt_ppad.outputs import Detections
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE

HEADS = 8
LAYERS = 6
MOST_DEPTH = 2


class RMTPPAD(Network):
    """RMT-PPAD at any width and depth and any input size that is a multiple of 32.

    Args:
        width: multiplies every channel count; other than 1, counts are rounded up to multiples of 8.
        depth: multiplies the convolutions of a block and the decoder's layers.
        size: network input ``(height, width)``, pixels.
        resize: how pictures are placed in it.
        mask_stride: pixels between the positions that the last layers of the mask decoder compute at; above 1 the very
            last one writes a block of that many rows and columns.
        queries: positions that the detector looks for vehicles from, which is as many boxes as it answers.

    Raises:
        InputError: where ``size`` is no multiple of 32, or another number makes no sense.
    """

    name = "rmt-ppad"
    taps = {  # noqa: RUF012 - a class attribute by design
        "stage4": "model.1",
        "stage8": "model.3",
        "stage16": "model.7",
        "stage32": "model.9",
        "fused8": "model.21",
        "fused16": "model.24",
        "fused32": "model.27",
    }
    regions = {  # noqa: RUF012
        "backbone+encoder": tuple(f"model.{index}" for index in range(28)),
        "backbone": tuple(f"model.{index}" for index in range(10)),
        "encoder": tuple(f"model.{index}" for index in range(10, 28)),
        "adapters": tuple(f"model.28.{part}_{kind}" for part in ("task_adapter", "gate") for kind in ("det", "seg")),
        "transformer": (
            "model.11",
            *(f"model.28.{part}" for part in ("decoder", "query_pos_head", "enc_bbox_head", "dec_bbox_head")),
        ),
        "masks": ("model.28.seg_head",),
        "all": ("model",),
    }
    protected = (
        "model.28.enc_score_head",
        "model.28.enc_bbox_head.layers.2",
        "model.28.dec_score_head",
        "model.28.seg_head.refine.3",
        *(
            path
            for layer in range(MOST_DEPTH * LAYERS)
            # The outputs of these are taken apart by head, map and point.
            for path in (f"model.28.dec_bbox_head.{layer}.layers.2", f"model.28.decoder.layers.{layer}.cross_attn")
        ),
    )

    mask_strides = (1, 2, 4, 8)

    def __init__(
        self,
        width: float = 1.0,
        depth: float = 1.0,
        size: tuple[int, int] = (640, 640),
        resize: str = "stretch",
        mask_stride: int = 1,
        queries: int = 300,
    ):
        super().__init__()
        check_width(width)
        require(0 < depth <= MOST_DEPTH, "depth", depth, f"must be above 0 and at most {MOST_DEPTH}")
        require(mask_stride in self.mask_strides, "mask_stride", mask_stride, f"one of {self.mask_strides}")
        require(type(queries) is int and queries >= 1, "queries", queries, "a whole number of at least 1")
        self.config = {
            "width": width,
            "depth": depth,
            "size": list(size),
            "resize": resize,
            "mask_stride": mask_stride,
            "queries": queries,
        }
        self.spec = InputSpec(
            check_size((size[0], size[1])),
            resize,  # type: ignore[arg-type]
            thresholds={DRIVABLE: 0.45, LANE: 0.9},
            needs_nms=False,
        )

        def c(channels: int) -> int:
            return scaled(channels, width)

        def n(repeats: int) -> int:
            return max(1, round(repeats * depth))

        def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, act: bool = True) -> Conv:
            return Conv(c(inputs), c(outputs), kernel, stride, act=nn.SiLU() if act else None)

        def block(inputs: int, middle: int, outputs: int, kernel: int, **kinds: bool) -> HGBlock:
            return HGBlock(c(inputs), c(middle), c(outputs), kernel, n(6), **kinds)

        def join() -> RepC3:
            return RepC3(2 * c(256), c(256), n(3))

        self.model = nn.ModuleList(
            [
                HGStem(c(32), c(48)),
                block(48, 48, 128, 3),
                DepthwiseConv(c(128), 3, 2),
                block(128, 96, 512, 3),
                DepthwiseConv(c(512), 3, 2),
                block(512, 192, 1024, 5, light=True),
                block(1024, 192, 1024, 5, light=True, shortcut=True),
                block(1024, 192, 1024, 5, light=True, shortcut=True),
                DepthwiseConv(c(1024), 3, 2),
                block(1024, 384, 2048, 5, light=True),
                conv(2048, 256, act=False),
                AIFI(c(256), c(1024), HEADS),
                conv(256, 256),
                Upsample(),
                conv(1024, 256, act=False),
                Concat(),
                join(),
                conv(256, 256),
                Upsample(),
                conv(512, 256, act=False),
                Concat(),
                join(),
                conv(256, 256, 3, 2),
                Concat(),
                join(),
                conv(256, 256, 3, 2),
                Concat(),
                join(),
                Head([c(256)] * 3, c(256), c(1024), c(64), HEADS, n(LAYERS), mask_stride, queries),
            ]
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 0.03

    def forward(self, images: Tensor) -> Raw:
        """Images in [0, 1] ``[N, 3, H, W]`` to :class:`Detections`, and logits ``[N, H, W]`` for each mask task."""
        m = self.model
        x8 = chain(m[0:4], images)
        x16 = chain(m[4:8], x8)
        y32 = chain(m[8:13], x16)
        y16 = chain(m[16:18], m[15]([m[13](y32), m[14](x16)]))
        f8 = m[21](m[20]([m[18](y16), m[19](x8)]))
        f16 = m[24](m[23]([m[22](f8), y16]))
        f32 = m[27](m[26]([m[25](f16), y32]))
        detections, drivable, lane = m[28]([f8, f16, f32])
        return {DETECTION: detections, DRIVABLE: drivable, LANE: lane}

    def losses(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Losses by task; see :mod:`~perception.networks.rmt_ppad.losses`. In training the detector also learns to
        find vehicles again whose boxes were disturbed."""
        found: Detections = raw[DETECTION]
        truth = _normalised(targets.boxes, raw[LANE].shape[1:])
        detection = detection_loss(found.boxes, found.logits, truth)
        noised = noised_queries(truth, found.boxes.shape[1]) if self.training else None
        if noised is not None:
            memory = tuple(part.float() for part in found.memory)
            boxes, logits = self._head.denoise(memory, noised.present, noised.boxes, noised.attention_mask)
            detection = detection + denoising_loss(boxes, logits, noised)
        return {
            DETECTION: detection,
            DRIVABLE: drivable_loss(raw[DRIVABLE], targets.drivable),
            LANE: lane_loss(raw[LANE], targets.lane),
        }

    def imitation(self, raw: Raw, answer: Raw) -> dict[str, Tensor]:
        """Distances by task; every layer of the detector is led to what the teacher's last one found."""
        found, other = raw[DETECTION], answer[DETECTION]
        scores = other.logits[-1].float().squeeze(-1).sigmoid()
        return {
            DETECTION: detection_imitation(found.boxes, found.logits, other.boxes[-1], scores),
            **{task: mask_imitation(raw[task], answer[task]) for task in (DRIVABLE, LANE)},
        }

    def decode(self, raw: Raw) -> Decoded:
        """The last layer's boxes, each from a query of its own, and foreground probabilities."""
        height, width = raw[LANE].shape[1:]
        found: Detections = raw[DETECTION]
        last = found.boxes[-1].float() * found.boxes.new_tensor([width, height] * 2, dtype=torch.float32)
        scores = found.logits[-1].float().squeeze(-1).sigmoid()
        return Decoded(torch.cat(corners(last), -1), scores, raw[DRIVABLE].sigmoid(), raw[LANE].sigmoid())

    def upsampled(self, path: str, factor: int, maps: Tensor) -> Tensor:
        """By the mask decoder's transposed convolution, where a layer follows it."""
        decoder = self._head.seg_head
        follows = self.get_submodule(path) is decoder.refine[0]
        return decoder.finer(maps, factor) if follows else super().upsampled(path, factor, maps)

    def fused(self) -> "RMTPPAD":
        """A copy with batch norms folded into convolutions and the branches of each RepConv merged."""
        network = copy.deepcopy(self).eval()
        for module in list(network.modules()):
            if isinstance(module, Conv | RepConv):
                module.fuse()
        return network

    @property
    def _head(self) -> Head:
        return cast(Head, self.model[28])


def _normalised(boxes: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """``Targets.boxes`` as image index and centre x, y, width, height in [0, 1]."""
    low, high = boxes[:, 1:3], boxes[:, 3:5]
    scale = boxes.new_tensor([size[1], size[0]])
    return torch.cat((boxes[:, :1], (low + high) / 2 / scale, (high - low) / scale), 1)
