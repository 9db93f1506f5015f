from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from compress.regrid import coarse_kernel

NEAREST = {factor: partial(F.interpolate, scale_factor=factor, mode="nearest") for factor in (2, 4)}


def _both(convolution, factor, blocks, upsample, size=9):
    """What the fine layer answers, brought to the coarse grid, and what the new kernel does there."""
    maps = torch.randn(2, convolution.in_channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fine = convolution(upsample(maps))
        weight, bias = coarse_kernel(convolution, factor, blocks, upsample)
        coarse = F.conv2d(maps, weight, bias, padding=weight.shape[-1] // 2, groups=convolution.groups)
    return F.pixel_unshuffle(fine, factor) if blocks else F.avg_pool2d(fine, factor), coarse


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(("kernel", "groups"), [(1, 1), (3, 1), (3, 6), (5, 2)])
def test_same_as_convolving_the_finer_map(kernel, groups, factor, blocks):
    torch.manual_seed(kernel)
    convolution = nn.Conv2d(6, 12, kernel, padding=kernel // 2, groups=groups)
    fine, coarse = _both(convolution, factor, blocks, NEAREST[factor])
    assert coarse.std() > 0.1
    # At the borders too: a padded row lies outside of the coarse map as well.
    torch.testing.assert_close(coarse, fine, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("times", [1, 2])
def test_learnt_upsampling_is_part_of_the_kernel(times):
    torch.manual_seed(times)
    transposed = nn.ConvTranspose2d(4, 4, 4, 2, 1)

    def upsample(maps):
        for _ in range(times):
            maps = transposed(maps)
        return maps

    fine, coarse = _both(nn.Conv2d(4, 5, 3, padding=1), 2**times, False, upsample)
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(coarse[inner], fine[inner], atol=1e-5, rtol=1e-5)
