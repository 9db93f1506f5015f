"""RT-DETR's hybrid encoder: attention over the coarsest map, convolutions that join the scales."""

import torch
from torch import Tensor, nn

from perception.networks.rmt_ppad.layers import Conv, RepConv

TEMPERATURE = 10000.0


class AIFI(nn.Module):
    """One transformer encoder layer over the positions of a map (post-norm; Vaswani et al., 2017)."""

    def __init__(self, channels: int, feed_forward: int, heads: int):
        super().__init__()
        self.ma = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.fc1 = nn.Linear(channels, feed_forward)
        self.fc2 = nn.Linear(feed_forward, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        channels, height, width = x.shape[1:]
        tokens = x.flatten(2).transpose(1, 2)
        where = tokens + positions(height, width, channels, x.device).to(x.dtype)
        tokens = self.norm1(tokens + self.ma(where, where, tokens, need_weights=False)[0])
        tokens = self.norm2(tokens + self.fc2(self.act(self.fc1(tokens))))
        return tokens.transpose(1, 2).reshape(-1, channels, height, width)


def positions(height: int, width: int, channels: int, device: torch.device | None = None) -> Tensor:
    """Sines and cosines of row and column, ``[height * width, channels]``; ``channels`` a multiple of 4."""
    frequencies = TEMPERATURE ** -(torch.arange(channels // 4, device=device) / (channels // 4))
    rows, columns = (torch.arange(n, device=device)[:, None] * frequencies for n in (height, width))
    by_row = torch.cat((rows.sin(), rows.cos()), 1)[:, None].expand(-1, width, -1)
    by_column = torch.cat((columns.sin(), columns.cos()), 1)[None].expand(height, -1, -1)
    return torch.cat((by_row, by_column), 2).flatten(0, 1)


class RepC3(nn.Module):
    """A chain of :class:`~perception.networks.rmt_ppad.layers.RepConv` beside a plain 1x1, added."""

    def __init__(self, inputs: int, outputs: int, repeats: int):
        super().__init__()
        self.cv1 = Conv(inputs, outputs, act=nn.SiLU())
        self.cv2 = Conv(inputs, outputs, act=nn.SiLU())
        self.m = nn.Sequential(*(RepConv(outputs) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        return self.m(self.cv1(x)) + self.cv2(x)
