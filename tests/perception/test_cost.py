import pytest
import torch
from torch import nn

from perception.cost import cost, work
from perception.errors import InputError
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
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
    assert work(_Layers()).positions == {"grouped": 16 * 32, "up": 16 * 32, "linear": 2 * 4 * 32}


class _Attention(Network):
    """12 queries of 4 channels look at 8 keys of 6 and values of 2."""

    name = "attention"

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 32))
        self.look = nn.MultiheadAttention(4, 2, kdim=6, vdim=2, batch_first=True)

    def forward(self, images):
        query, key, value = (images.new_ones(1, *shape) for shape in ((12, 4), (8, 6), (8, 2)))
        return self.look(query, key, value=value)[0]


def test_attention_counts_projections_and_products():
    projections = 12 * 4 * 4 + 8 * 6 * 4 + 8 * 2 * 4 + 12 * 4 * 4
    products = 2 * 12 * 8 * 4
    assert work(_Attention()).attention == cost(_Attention()).macs == projections + products


def test_rmt_ppad_costs_what_is_known_of_it():
    """As published once fused, and so counted before that too."""
    network = RMTPPAD()
    found = cost(network)
    assert found.parameters == 34_348_746
    assert found.macs == pytest.approx(105.2e9, rel=0.01)
    assert len([module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]) > 100


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
