"""PP-HGNetV2, the backbone of RT-DETR-L, from published facts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perception.networks.rmt_ppad.layers import Conv, DepthwiseConv


class HGStem(nn.Module):
    """A quarter of the size: a convolution, two small ones beside a maximum, and two more over both."""

    def __init__(self, middle: int, outputs: int):
        super().__init__()
        self.stem1 = Conv(3, middle, 3, 2, act=nn.ReLU())
        self.stem2a = Conv(middle, middle // 2, 2, act=nn.ReLU())
        self.stem2b = Conv(middle // 2, middle, 2, act=nn.ReLU())
        self.stem3 = Conv(2 * middle, middle, 3, 2, act=nn.ReLU())
        self.stem4 = Conv(middle, outputs, act=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = _pad(self.stem1(x))
        convolved = self.stem2b(_pad(self.stem2a(x)))
        return self.stem4(self.stem3(torch.cat((F.max_pool2d(x, 2, 1), convolved), 1)))


class LightConv(nn.Module):
    """1x1 without activation, then depthwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.conv1 = Conv(inputs, outputs)
        self.conv2 = DepthwiseConv(outputs, kernel, act=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class HGBlock(nn.Module):
    """Convolutions one after the other, all joined with the input and squeezed; added to it where ``shortcut``."""

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        kernel: int,
        repeats: int,
        light: bool = False,
        shortcut: bool = False,
    ):
        super().__init__()
        sources = [inputs] + [middle] * (repeats - 1)
        self.m = nn.ModuleList(
            LightConv(source, middle, kernel) if light else Conv(source, middle, kernel, act=nn.ReLU())
            for source in sources
        )
        self.sc = Conv(inputs + repeats * middle, outputs // 2, act=nn.ReLU())
        self.ec = Conv(outputs // 2, outputs, act=nn.ReLU())
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        for convolution in self.m:
            parts.append(convolution(parts[-1]))
        y = self.ec(self.sc(torch.cat(parts, 1)))
        return x + y if self.shortcut else y


def _pad(x: Tensor) -> Tensor:
    """A column of zeros on the right and a row below, so that a 2x2 window keeps the size."""
    return F.pad(x, (0, 1, 0, 1))
