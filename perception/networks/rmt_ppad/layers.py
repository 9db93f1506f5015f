"""Convolutions of RMT-PPAD's backbone and encoder, which fold into single biased ones for deployment."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Conv(nn.Module):
    """Convolution without bias, batch norm, activation (none where ``act`` is absent)."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: nn.Module | None = None
    ):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs)
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))

    def fuse(self) -> None:
        """Fold the batch norm into the convolution; evaluation mode only. A second time does nothing."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv, self.bn = fuse_conv_bn_eval(self.conv, self.bn), nn.Identity()


class DepthwiseConv(Conv):
    """Each channel by itself."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, act: nn.Module | None = None):
        super().__init__(channels, channels, kernel, stride, channels, act)


class RepConv(nn.Module):
    """A 3x3 and a 1x1 convolution, added; in deployment one 3x3 (RepVGG, Ding et al., 2021)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = Conv(channels, channels, 3)
        self.conv2: Conv | None = Conv(channels, channels, 1)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        return self.act(y if self.conv2 is None else y + self.conv2(x))

    def fuse(self) -> None:
        """Merge both branches into ``conv1``; evaluation mode only. A second time does nothing."""
        if self.conv2 is None:
            return
        self.conv1.fuse()
        self.conv2.fuse()
        large, small = self.conv1.conv, self.conv2.conv
        large.weight.data += F.pad(small.weight.data, (1, 1, 1, 1))
        large.bias.data += small.bias.data  # type: ignore[union-attr]  # folding gave both a bias
        self.conv2 = None
