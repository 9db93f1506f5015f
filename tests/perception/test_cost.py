import pytest
import torch
from torch import nn

from perception.cost import cost, positions
from perception.errors import InputError
from perception.networks.base import Network
from perception.networks.yolop import YOLOP
from perception.spec import InputSpec


class _Layers(Network):
    """One layer of each kind that counts, the last one used twice."""

    name = "layers"

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 64))
        self.grouped = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3)
        self.norm = nn.BatchNorm2d(6)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2)
        self.linear = nn.Linear(64, 64, bias=False)

    def forward(self, images):
        return self.linear(self.linear(self.up(self.norm(self.grouped(images)))))


def test_counts_agree_with_hand_arithmetic():
    convolution = 6 * 16 * 32 * 1 * 9
    transposed = 6 * 16 * 32 * 2 * 4
    linear = 2 * 4 * 32 * 64 * 64
    found = cost(_Layers())
    assert found.macs == convolution + transposed + linear
    assert found.parameters == (6 * 9 + 6) + 12 + (6 * 2 * 4 + 4) + 64 * 64


def test_positions_are_pixels_written_or_read():
    assert positions(_Layers()) == {"grouped": 16 * 32, "up": 16 * 32, "linear": 2 * 4 * 32}


def test_yolop_costs_what_is_known_of_it():
    network = YOLOP()
    found = cost(network)
    assert found.parameters == 7_940_846
    assert found.macs == pytest.approx(9.25e9, rel=1e-3)
    assert cost(network, (640, 640)).macs == pytest.approx(15.41e9, rel=1e-3)


def test_network_is_left_as_it_was():
    network = _Layers().train()
    network.norm.eval()
    network.linear.requires_grad_(False)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert cost(network) == cost(network)
    assert network.training and not network.norm.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_size_must_fit():
    with pytest.raises(InputError, match="100x64"):
        cost(_Layers(), (100, 64))
