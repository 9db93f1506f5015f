"""The mask decoder: three scales joined by weights of each task, then the same transposed convolution to full size."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Of the map that masks begin with.
STRIDE = 8


class MaskDecoder(nn.Module):
    """One decoder for both masks, which differ by how they weigh the scales alone.

    Args:
        inputs: channels of the three maps.
        middle: channels it works with.
        stride: pixels between the positions that the last layers compute at, 1, 2, 4 or 8; above 1 the very last one
            writes a block of so many rows and columns.
    """

    def __init__(self, inputs: int, middle: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.task_weights = nn.Parameter(torch.ones(2, 3))
        self.proj_s3 = nn.Conv2d(inputs, middle, 1)
        self.proj_s4 = nn.Conv2d(inputs, middle, 1)
        self.proj_s5 = nn.Conv2d(inputs, middle, 1)
        self.deconv_upsample = nn.ConvTranspose2d(middle, middle, 4, 2, 1)
        self.refine = nn.Sequential(
            nn.Conv2d(middle, middle, 3, padding=1), nn.BatchNorm2d(middle), nn.ReLU(), nn.Conv2d(middle, stride**2, 1)
        )

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Maps at strides 8, 16 and 32 to the logits of two masks ``[N, H, W]`` at full size."""
        scales = [
            self.proj_s3(fine),
            *(
                F.interpolate(projected, fine.shape[2:], mode="bilinear", align_corners=False)
                for projected in (self.proj_s4(middle), self.proj_s5(coarse))
            ),
        ]
        weights = self.task_weights.softmax(1)
        # Both tasks are one batch from here on.
        x = torch.cat([sum(weights[task, s] * scale for s, scale in enumerate(scales)) for task in range(2)])
        logits = self.refine(self.finer(x, STRIDE // self.stride))
        if self.stride > 1:
            logits = F.pixel_shuffle(logits, self.stride)
        drivable, lane = logits.squeeze(1).chunk(2)
        return drivable, lane

    def finer(self, maps: Tensor, factor: int) -> Tensor:
        """``maps`` at ``factor`` times as many rows and columns, a power of 2."""
        for _ in range(int(math.log2(factor))):
            maps = self.deconv_upsample(maps)
        return maps
