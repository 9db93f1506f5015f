"""Gate-controlled adapters: what each kind of task takes from the shared features, and how much of it."""

import torch
from torch import Tensor, nn

REDUCTION = 8
LEAST, MOST = 0.05, 0.95


class TaskAdapter(nn.Module):
    """Shared features turned towards one kind of task: 1x1, depthwise 3x3, 1x1."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.SiLU())
        self.conv3 = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(self.conv1(x))


class Gate(nn.Module):
    """Blends shared and task features, each channel and position by its own share.

    The share lies between one of the channel (from the means over the map) and one of the position; a third number a
    channel says how far towards which.
    """

    def __init__(self, channels: int):
        super().__init__()
        both, hidden = 2 * channels, channels // REDUCTION
        self.channel_att = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(both, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial_att = nn.Sequential(
            nn.Conv2d(both, both, 3, padding=1, groups=both),
            nn.BatchNorm2d(both),
            nn.ReLU(),
            nn.Conv2d(both, channels, 1),
            nn.Sigmoid(),
        )
        self.alpha_net = nn.Sequential(
            nn.Conv2d(both, channels, 3, padding=1, groups=channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )

    def forward(self, shared: Tensor, task: Tensor) -> Tensor:
        both = torch.cat((shared, task), 1)
        alpha = self.alpha_net(both)
        share = (alpha * self.channel_att(both) + (1 - alpha) * self.spatial_att(both)).clamp(LEAST, MOST)
        return shared + share * (task - shared)
