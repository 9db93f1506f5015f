"""The mask decoder: three scales joined by weights of each task, then the same transposed convolution to full size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# From stride 8 to every pixel.
DOUBLINGS = 3


class MaskDecoder(nn.Module):
    """One decoder for both masks, which differ by how they weigh the scales alone.

    Args:
        inputs: channels of the three maps.
        middle: channels it works with.
    """

    def __init__(self, inputs: int, middle: int):
        super().__init__()
        self.task_weights = nn.Parameter(torch.ones(2, 3))
        self.proj_s3 = nn.Conv2d(inputs, middle, 1)
        self.proj_s4 = nn.Conv2d(inputs, middle, 1)
        self.proj_s5 = nn.Conv2d(inputs, middle, 1)
        self.deconv_upsample = nn.ConvTranspose2d(middle, middle, 4, 2, 1)
        self.refine = nn.Sequential(
            nn.Conv2d(middle, middle, 3, padding=1), nn.BatchNorm2d(middle), nn.ReLU(), nn.Conv2d(middle, 1, 1)
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
        for _ in range(DOUBLINGS):
            x = self.deconv_upsample(x)
        drivable, lane = self.refine(x).squeeze(1).chunk(2)
        return drivable, lane
