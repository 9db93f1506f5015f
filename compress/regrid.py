"""Kernels for layers that come to compute at fewer positions: what the old ones did there, on the mean."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perception.cost import work
from perception.networks.base import Network


@torch.no_grad()
def regrid(network: Network, coarse: Network) -> None:
    """Change the convolutions of ``coarse`` whose input has become smaller than in ``network``, whose weights it has.

    Each gets the kernel that does on the small map what the old one did on that map made finer by the layers that are
    left out (:meth:`Network.upsampled`): for every pixel of a block where it writes blocks of pixels, their mean where
    it writes one value. The former is exact where pixels are repeated. Strided, dilated and unpadded convolutions stay
    as they are.
    """
    before, after = work(network).inputs, work(coarse).inputs
    layers = dict(network.named_modules())
    for path, convolution in coarse.named_modules():
        old = layers.get(path)
        # Those that only training calls read nothing here.
        if path not in after or not isinstance(convolution, nn.Conv2d) or not isinstance(old, nn.Conv2d):
            continue
        factor = before[path][0][2] // after[path][0][2]
        blocks = convolution.out_channels // old.out_channels
        if factor > 1 and blocks in (1, factor**2) and _plain(old):
            weight, bias = coarse_kernel(old, factor, blocks > 1, partial(network.upsampled, path, factor))
            convolution.weight.copy_(weight)
            if convolution.bias is not None:
                convolution.bias.copy_(bias)


def coarse_kernel(
    convolution: nn.Conv2d, factor: int, blocks: bool, upsample: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Weight and bias that do at once what ``upsample`` and the convolution do, read off from impulses.

    Args:
        convolution: of an odd kernel, one pixel at a time, padded to keep the size.
        factor: how much finer ``upsample`` makes maps.
        blocks: an output for each of the ``factor`` x ``factor`` pixels, in the order of a pixel shuffle, instead of
            their mean.
        upsample: affine; ``[N, C, H, W]`` to ``[N, C, factor * H, factor * W]``. Where the convolution has groups, each
            channel by itself. What reaches further than the convolution's own kernel is lost.
    """
    inputs, (kernel, _) = convolution.in_channels, convolution.kernel_size
    # Borders are out of reach of what is read off.
    size = kernel + 4
    middle = size // 2

    def respond(maps: Tensor) -> Tensor:
        fine = convolution(upsample(maps))
        return F.pixel_unshuffle(fine, factor) if blocks else F.avg_pool2d(fine, factor)

    weights = convolution.weight
    at_rest = respond(weights.new_zeros(1, inputs, size, size))
    impulses = weights.new_zeros(inputs, inputs, size, size)
    impulses[range(inputs), range(inputs), middle, middle] = 1
    reach = slice(middle - kernel // 2, middle + kernel // 2 + 1)
    # An impulse is answered by the kernel turned round.
    answers = (respond(impulses) - at_rest)[:, :, reach, reach].flip(2, 3)
    outputs = answers.shape[1]
    read = torch.arange(inputs).view(convolution.groups, -1).repeat_interleave(outputs // convolution.groups, 0)
    return answers[read, torch.arange(outputs)[:, None]], at_rest[0, :, middle, middle]


def _plain(convolution: nn.Conv2d) -> bool:
    kernel = convolution.kernel_size[0]
    same = convolution.padding == (kernel // 2, kernel // 2) and convolution.kernel_size == (kernel, kernel)
    return kernel % 2 == 1 and same and convolution.stride == convolution.dilation == (1, 1)
