import pytest
import torch
from torch import nn

from perception.networks.rmt_ppad.backbone import HGBlock, HGStem
from perception.networks.rmt_ppad.encoder import RepC3
from perception.networks.rmt_ppad.layers import Conv, DepthwiseConv, RepConv


def stirred(module):
    """Batch norms that have seen something."""
    generator = torch.Generator().manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
                tensor.uniform_(0.5, 1.5, generator=generator)
    return module.eval()


@pytest.mark.parametrize(
    "make",
    [lambda: Conv(6, 6, 3, act=nn.ReLU()), lambda: DepthwiseConv(6, 5), lambda: RepConv(6)],
    ids=["plain", "depthwise", "rep"],
)
def test_fusing_keeps_the_function(make):
    torch.manual_seed(0)
    module = stirred(make())
    x = torch.randn(2, 6, 7, 9)
    with torch.no_grad():
        before = module(x)
        module.fuse()
        once = module(x)
        module.fuse()
        assert torch.allclose(once, before, atol=1e-5) and torch.equal(module(x), once)
    left = [part for part in module.modules() if list(part.parameters(recurse=False))]
    assert len(left) == 1 and left[0].bias is not None


def test_a_fused_rep_convolution_is_one_3x3():
    module = RepConv(8).eval()
    module.fuse()
    assert sum(parameter.numel() for parameter in module.parameters()) == 8 * 8 * 9 + 8


def test_sizes():
    x = torch.rand(1, 3, 64, 96)
    stem = HGStem(8, 16).eval()
    assert stem(x).shape == (1, 16, 16, 24)
    features = torch.rand(1, 16, 16, 24)
    for light in (False, True):
        block = HGBlock(16, 8, 16, 5 if light else 3, 2, light=light, shortcut=True).eval()
        assert block(features).shape == features.shape
    assert RepC3(16, 8, 2).eval()(features).shape == (1, 8, 16, 24)


def test_shortcut_adds_the_input():
    torch.manual_seed(0)
    block = HGBlock(16, 8, 16, 3, 2, shortcut=True).eval()
    x = torch.rand(1, 16, 4, 6)
    with torch.no_grad():
        with_it = block(x)
        block.shortcut = False
        assert torch.allclose(with_it - block(x), x, atol=1e-6)
