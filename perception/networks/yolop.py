"""YOLOP: one CSP backbone and neck, a three-scale anchor detector and two upsampling mask heads.

D. Wu et al., "YOLOP: You Only Look Once for Panoptic Driving Perception", 2021. Written from published facts; module
indices follow the authors' checkpoints, so the keys of ``End-to-end.pth`` load as they are.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.errors import require
from perception.geometry import check_size
from perception.networks.base import Decoded, Network, Raw, Targets
from perception.networks.layers import Concat, Upsample, chain, check_width, scaled
from perception.networks.yolop_loss import yolop_imitation, yolop_losses
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE

STRIDES = (8, 16, 32)
# Width and height in pixels of three anchors a stride.
ANCHORS = (((3, 9), (5, 11), (4, 20)), ((7, 18), (6, 39), (12, 31)), ((19, 50), (38, 81), (68, 157)))
CANDIDATES = 1000


class Conv(nn.Module):
    """Convolution without bias, batch norm, Hardswish."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class Focus(nn.Module):
    """Every second pixel to a channel of its own (four times the channels at half the size), then a convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.conv = Conv(4 * inputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        corners = x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]
        return self.conv(torch.cat(corners, 1))


class Bottleneck(nn.Module):
    """1x1 then 3x3, added to its input where ``shortcut``."""

    def __init__(self, channels: int, shortcut: bool):
        super().__init__()
        self.cv1 = Conv(channels, channels)
        self.cv2 = Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class BottleneckCSP(nn.Module):
    """Cross-stage partial block: bottlenecks on one half, a plain 1x1 on the other, both joined."""

    def __init__(self, inputs: int, outputs: int, repeats: int = 1, shortcut: bool = False):
        super().__init__()
        hidden = outputs // 2
        self.cv1 = Conv(inputs, hidden)
        self.cv2 = nn.Conv2d(inputs, hidden, 1, bias=False)
        self.cv3 = nn.Conv2d(hidden, hidden, 1, bias=False)
        self.cv4 = Conv(2 * hidden, outputs)
        self.bn = nn.BatchNorm2d(2 * hidden)
        self.act = nn.LeakyReLU(0.1)
        self.m = nn.Sequential(*(Bottleneck(hidden, shortcut) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat((self.cv3(self.m(self.cv1(x))), self.cv2(x)), 1)
        return self.cv4(self.act(self.bn(both)))


class SPP(nn.Module):
    """Spatial pyramid pooling: maxima over three windows beside the input."""

    def __init__(self, inputs: int, outputs: int, windows: tuple[int, ...] = (5, 9, 13)):
        super().__init__()
        self.cv1 = Conv(inputs, inputs // 2)
        self.cv2 = Conv(inputs // 2 * (len(windows) + 1), outputs)
        self.pools = nn.ModuleList(nn.MaxPool2d(window, 1, window // 2) for window in windows)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        return self.cv2(torch.cat([x, *(pool(x) for pool in self.pools)], 1))


class Detect(nn.Module):
    """One 1x1 convolution a stride; an anchor's six numbers are x, y, w, h, objectness, class."""

    anchors: Tensor
    anchor_grid: Tensor

    def __init__(self, inputs: list[int]):
        super().__init__()
        pixels = torch.tensor(ANCHORS, dtype=torch.float32)
        strides = torch.tensor(STRIDES, dtype=torch.float32)
        self.register_buffer("anchors", pixels / strides.view(3, 1, 1))
        self.register_buffer("anchor_grid", pixels.view(3, 1, 3, 1, 1, 2).clone())
        self.m = nn.ModuleList(nn.Conv2d(channels, 18, 1) for channels in inputs)
        self._expect_few_objects()

    def _expect_few_objects(self) -> None:
        """Start near the share of anchors that hold something: about 8 objects in a 640-pixel image."""
        with torch.no_grad():
            for index, stride in enumerate(STRIDES):
                bias = self.get_parameter(f"m.{index}.bias").view(3, 6)
                bias[:, 4] += math.log(8 / (640 / stride) ** 2)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Three maps ``[N, C, h, w]`` to three of logits ``[N, 3, h, w, 6]``."""
        maps = (conv(feature) for conv, feature in zip(self.m, features, strict=True))
        return [m.view(m.shape[0], 3, 6, *m.shape[-2:]).permute(0, 1, 3, 4, 2) for m in maps]

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Logits to ``[N, anchors, 6]``: centre x, y, width, height in input pixels, objectness, class."""
        decoded = []
        for level, (logits, stride) in enumerate(zip(maps, STRIDES, strict=True)):
            batch, _, height, width, _ = logits.shape
            y = logits.sigmoid()
            rows = torch.arange(height, dtype=y.dtype, device=y.device)
            columns = torch.arange(width, dtype=y.dtype, device=y.device)
            grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
            centre = (y[..., 0:2] * 2 - 0.5 + grid) * stride
            size = (y[..., 2:4] * 2) ** 2 * self.anchor_grid[level].to(y.dtype)
            decoded.append(torch.cat((centre, size, y[..., 4:]), -1).reshape(batch, 3 * height * width, 6))
        return torch.cat(decoded, 1)


class YOLOP(Network):
    """YOLOP at any width and any input size that is a multiple of 32.

    Args:
        width: multiplies every channel count; below 1 counts are rounded up to multiples of 8.
        size: network input ``(height, width)``, pixels.
        resize: how pictures are placed in it.
        mask_stride: pixels between the positions that the last layers of the mask heads compute at. Above 1 the last
            convolution writes a block of that many rows and columns of both classes, so that masks keep all pixels.

    Raises:
        InputError: where ``size`` is no multiple of 32, ``width`` makes no sense or ``mask_stride`` is not offered.
    """

    name = "yolop"
    taps = {  # noqa: RUF012 - a class attribute by design
        "stage2": "model.4",
        "stage3": "model.6",
        "stage4": "model.9",
        "neck8": "model.16",
        "pan8": "model.17",
        "pan16": "model.20",
        "pan32": "model.23",
    }
    regions = {  # noqa: RUF012
        "all": ("model",),
        "backbone+neck": tuple(f"model.{index}" for index in range(24)),
        "backbone": tuple(f"model.{index}" for index in range(10)),
    }
    protected = ("model.24", "model.33", "model.42")
    mask_strides = (1, 2, 4)
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(
        self,
        width: float = 1.0,
        size: tuple[int, int] = (384, 640),
        resize: str = "letterbox",
        mask_stride: int = 1,
    ):
        super().__init__()
        check_width(width)
        require(mask_stride in self.mask_strides, "mask_stride", mask_stride, f"one of {self.mask_strides}")
        self.config = {"width": width, "size": list(size), "resize": resize, "mask_stride": mask_stride}
        self.spec = InputSpec(check_size((size[0], size[1])), resize)  # type: ignore[arg-type]

        def c(channels: int) -> int:
            return scaled(channels, width)

        def mask_head() -> list[nn.Module]:
            return [
                Conv(c(128) + c(128), c(128), 3),
                Upsample(),
                BottleneckCSP(c(128), c(64)),
                Conv(c(64), c(32), 3),
                Upsample() if mask_stride < 4 else nn.Identity(),
                Conv(c(32), c(16), 3),
                BottleneckCSP(c(16), c(8)),
                Upsample() if mask_stride < 2 else nn.Identity(),
                Conv(c(8), 2 * mask_stride**2, 3),
            ]

        self.model = nn.ModuleList(
            [
                Focus(3, c(32), 3),
                Conv(c(32), c(64), 3, 2),
                BottleneckCSP(c(64), c(64), 1, shortcut=True),
                Conv(c(64), c(128), 3, 2),
                BottleneckCSP(c(128), c(128), 3, shortcut=True),
                Conv(c(128), c(256), 3, 2),
                BottleneckCSP(c(256), c(256), 3, shortcut=True),
                Conv(c(256), c(512), 3, 2),
                SPP(c(512), c(512)),
                BottleneckCSP(c(512), c(512)),
                Conv(c(512), c(256)),
                Upsample(),
                Concat(),
                BottleneckCSP(c(256) + c(256), c(256)),
                Conv(c(256), c(128)),
                Upsample(),
                Concat(),
                BottleneckCSP(c(128) + c(128), c(128)),
                Conv(c(128), c(128), 3, 2),
                Concat(),
                BottleneckCSP(c(128) + c(128), c(256)),
                Conv(c(256), c(256), 3, 2),
                Concat(),
                BottleneckCSP(c(256) + c(256), c(512)),
                Detect([c(128), c(256), c(512)]),
                *mask_head(),
                *mask_head(),
            ]
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 0.03

    def forward(self, images: Tensor) -> Raw:
        """Normalised images ``[N, 3, H, W]`` to detection logits (three ``[N, 3, h, w, 6]``) and, for each mask task,
        ``[N, 2, H, W]`` logits of background and foreground."""
        m = self.model
        x8 = chain(m[0:5], images)
        x16 = chain(m[5:7], x8)
        x32 = chain(m[7:10], x16)
        n32 = m[10](x32)
        n16 = m[14](m[13](m[12]([m[11](n32), x16])))
        shared = m[16]([m[15](n16), x8])
        p8 = m[17](shared)
        p16 = m[20](m[19]([m[18](p8), n16]))
        p32 = m[23](m[22]([m[21](p16), n32]))
        return {
            DETECTION: m[24]([p8, p16, p32]),
            DRIVABLE: self._mask(m[25:34], shared),
            LANE: self._mask(m[34:43], shared),
        }

    def _mask(self, head: nn.ModuleList, shared: Tensor) -> Tensor:
        logits, stride = chain(head, shared), self.config["mask_stride"]
        return logits if stride == 1 else functional.pixel_shuffle(logits, stride)

    @property
    def _detect(self) -> Detect:
        return cast(Detect, self.model[24])

    def losses(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Losses by task; see :mod:`perception.networks.yolop_loss`."""
        return yolop_losses(raw, targets, self._detect.anchors)

    def imitation(self, raw: Raw, answer: Raw) -> dict[str, Tensor]:
        """Distances by task; see :mod:`perception.networks.yolop_loss`."""
        return yolop_imitation(raw, answer, self._detect.anchors)

    def decode(self, raw: Raw) -> Decoded:
        """The best ``CANDIDATES`` boxes an image, and foreground probabilities.

        A pixel's class is the larger of its two scores; their softmax says the same in one number.
        """
        everything = self._detect.decode([part.float() for part in raw[DETECTION]])
        scores, order = (everything[..., 4] * everything[..., 5]).topk(min(CANDIDATES, everything.shape[1]), dim=1)
        cxcywh = everything[..., :4].gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
        centre, half = cxcywh[..., :2], cxcywh[..., 2:] / 2
        boxes = torch.cat((centre - half, centre + half), -1)
        masks = {task: (raw[task][:, 1] - raw[task][:, 0]).sigmoid() for task in (DRIVABLE, LANE)}
        return Decoded(boxes, scores, masks[DRIVABLE], masks[LANE])
