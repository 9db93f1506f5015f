import math

import torch

from perception.networks.rmt_ppad.encoder import AIFI, positions


def test_positions_by_hand():
    table = positions(2, 3, 8).view(2, 3, 8)
    for row in range(2):
        for column in range(3):
            expected = [f(place / scale) for place in (row, column) for f in (math.sin, math.cos) for scale in (1, 100)]
            assert torch.allclose(table[row, column], torch.tensor(expected), atol=1e-6)


def test_attention_sees_the_whole_map():
    torch.manual_seed(0)
    layer = AIFI(16, 32, 8).eval()
    x = torch.rand(1, 16, 3, 5)
    moved = x.clone()
    moved[..., 0, 0] += 1
    with torch.no_grad():
        change = (layer(moved) - layer(x)).abs().amax(1)
    assert change.shape == (1, 3, 5) and (change > 1e-6).all()


def test_rows_are_told_from_columns():
    torch.manual_seed(0)
    layer = AIFI(16, 32, 8).eval()
    x = torch.rand(1, 16, 4, 4)
    with torch.no_grad():
        assert not torch.allclose(layer(x), layer(x.transpose(2, 3)).transpose(2, 3), atol=1e-4)
