import math

import numpy as np
import torch

from perception.networks.rmt_ppad.transformer import LEVELS, MLP, POINTS, DecoderLayer, DeformableAttention

SHAPES = [(4, 6), (2, 3), (1, 2)]
TOKENS = sum(height * width for height, width in SHAPES)


def bilinear(image, x, y):
    """Value of ``image`` ``[h, w, d]`` at a place in pixels from its corner; nothing lies outside."""
    height, width, _ = image.shape
    x, y = x - 0.5, y - 0.5
    total = np.zeros(image.shape[2])
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < height and 0 <= column < width:
                total += image[row, column] * (1 - abs(row - y)) * (1 - abs(column - x))
    return total


def plainly(layer, query, reference, tokens):
    """Deformable attention of one image, word by word."""
    values = layer.value_proj(tokens).double().numpy()
    offsets = layer.sampling_offsets(query).double().numpy().reshape(len(query), layer.heads, LEVELS, POINTS, 2)
    weights = layer.attention_weights(query).double().numpy().reshape(len(query), layer.heads, LEVELS * POINTS)
    weights = np.exp(weights) / np.exp(weights).sum(-1, keepdims=True)
    weights = weights.reshape(len(query), layer.heads, LEVELS, POINTS)
    depth = values.shape[1] // layer.heads
    heard = np.zeros((len(query), layer.heads, depth))
    first = 0
    for level, (height, width) in enumerate(SHAPES):
        image = values[first : first + height * width].reshape(height, width, layer.heads, depth)
        first += height * width
        for number, (cx, cy, w, h) in enumerate(reference.tolist()):
            for head in range(layer.heads):
                for point in range(POINTS):
                    dx, dy = offsets[number, head, level, point] / POINTS / 2
                    seen = bilinear(image[:, :, head], (cx + dx * w) * width, (cy + dy * h) * height)
                    heard[number, head] += weights[number, head, level, point] * seen
    return layer.output_proj(torch.from_numpy(heard.reshape(len(query), -1)).float())


@torch.no_grad()
def test_deformable_attention_agrees_with_plain_loops():
    torch.manual_seed(0)
    layer = DeformableAttention(16, 4).eval()
    for part in (layer.sampling_offsets, layer.attention_weights):
        torch.nn.init.normal_(part.weight, std=0.5)
    query, tokens, reference = torch.randn(2, 5, 16), torch.randn(2, TOKENS, 16), torch.rand(2, 5, 4)
    found = layer(query, reference, tokens, SHAPES)
    for image in range(2):
        assert torch.allclose(found[image], plainly(layer, query[image], reference[image], tokens[image]), atol=1e-5)


def test_heads_start_looking_each_its_own_way():
    bias = DeformableAttention(16, 4).sampling_offsets.bias.detach().view(4, LEVELS, POINTS, 2)
    ways = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    for point in range(POINTS):
        assert torch.allclose(bias[:, 0, point], ways * (point + 1), atol=1e-6)
    assert torch.equal(bias[:, 0], bias[:, 2])


@torch.no_grad()
def test_blocked_queries_are_not_seen():
    torch.manual_seed(0)
    layer = DecoderLayer(16, 32, 4).eval()
    query, where, reference = torch.randn(1, 4, 16), torch.randn(1, 4, 16), torch.rand(1, 4, 4)
    tokens = torch.randn(1, TOKENS, 16)
    group = torch.tensor([0, 0, 1, 1])
    blocked = group[:, None] != group
    together = layer(query, where, reference, tokens, SHAPES, blocked)
    alone = layer(query[:, :2], where[:, :2], reference[:, :2], tokens, SHAPES)
    assert torch.allclose(together[:, :2], alone, atol=1e-6)
    assert not torch.allclose(layer(query, where, reference, tokens, SHAPES)[:, :2], alone, atol=1e-4)


def test_mlp_has_no_activation_at_its_end():
    torch.manual_seed(0)
    mlp = MLP(4, 8, 3)
    x = torch.randn(50, 4)
    first, last = mlp.layers
    assert torch.equal(mlp(x), last(first(x).clamp(min=0))) and (mlp(x) < 0).any()
