"""The transformer decoder of RT-DETR: self-attention of queries, deformable attention to three maps, feed-forward."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 3
POINTS = 4


class MLP(nn.Module):
    """Linear layers with ReLU in between; ``widths`` from input to output."""

    def __init__(self, *widths: int):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention (Zhu et al., 2021): each head looks at a few points of each map that the query
    itself places, relative to its box."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(channels, heads * LEVELS * POINTS * 2)
        self.attention_weights = nn.Linear(channels, heads * LEVELS * POINTS)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self._look_around()

    def _look_around(self) -> None:
        """Start with each head looking its own way, the k-th point k steps far, all alike (as published)."""
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        directions = torch.stack((angles.cos(), angles.sin()), 1)
        directions = directions / directions.abs().amax(1, keepdim=True)
        steps = torch.arange(1.0, POINTS + 1).view(1, 1, POINTS, 1)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_((directions[:, None, None] * steps).expand(-1, LEVELS, -1, -1).flatten())
        for layer in (self.sampling_offsets, self.attention_weights):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for layer in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, reference: Tensor, tokens: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        """Look.

        Args:
            query: ``[N, Q, C]``.
            reference: boxes of the queries ``[N, Q, 4]``, centre x, y, width, height in [0, 1].
            tokens: all maps' positions ``[N, T, C]``, map after map, row after row.
            shapes: rows and columns of each map.
        """
        batch, count, _ = query.shape
        heads = self.heads
        offsets = self.sampling_offsets(query).view(batch, count, heads, LEVELS, POINTS, 2)
        weights = self.attention_weights(query).view(batch, count, heads, LEVELS * POINTS).softmax(-1)
        boxes = reference[:, :, None, None, None]
        points = 2 * (boxes[..., :2] + offsets * boxes[..., 2:] * (0.5 / POINTS)) - 1
        # A head is an image of its own from here on, so that all tensors have four dimensions.
        points = points.transpose(1, 2).flatten(0, 1)
        weights = weights.transpose(1, 2).flatten(0, 1)[:, None]
        values = self.value_proj(tokens).transpose(1, 2).reshape(batch * heads, -1, tokens.shape[1])
        maps = values.split([height * width for height, width in shapes], 2)
        seen = [
            F.grid_sample(part.unflatten(-1, shape), points[:, :, level], align_corners=False)
            for level, (part, shape) in enumerate(zip(maps, shapes, strict=True))
        ]
        heard = (torch.cat(seen, 3) * weights).sum(-1)
        return self.output_proj(heard.reshape(batch, -1, count).transpose(1, 2))


class DecoderLayer(nn.Module):
    """Self-attention, deformable attention and feed-forward, each added and normalised."""

    def __init__(self, channels: int, feed_forward: int, heads: int):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn = DeformableAttention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.linear1 = nn.Linear(channels, feed_forward)
        self.linear2 = nn.Linear(feed_forward, channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(
        self,
        query: Tensor,
        where: Tensor,
        reference: Tensor,
        tokens: Tensor,
        shapes: list[tuple[int, int]],
        blocked: Tensor | None = None,
    ) -> Tensor:
        """Queries ``[N, Q, C]``, refined; ``where`` is added for looking, ``blocked`` ``[Q, Q]`` says who may not see
        whom. The rest as in :class:`DeformableAttention`."""
        placed = query + where
        query = self.norm1(query + self.self_attn(placed, placed, query, attn_mask=blocked, need_weights=False)[0])
        query = self.norm2(query + self.cross_attn(query + where, reference, tokens, shapes))
        return self.norm3(query + self.linear2(self.linear1(query).relu()))


class Decoder(nn.Module):
    """The layers alone; what runs them owns the heads that read each layer."""

    def __init__(self, layers: int, channels: int, feed_forward: int, heads: int):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(channels, feed_forward, heads) for _ in range(layers))
