"""The layers of a network as :mod:`perception.layer_times` knows them, and at which widths to measure them."""

import copy
import math
from collections.abc import Iterable

from torch import nn

from compress.groups import CONVOLUTIONS, ChannelGroups
from perception.cost import Work, work
from perception.layer_bundle import Axes
from perception.layer_times import Kind, Layer, Operator
from perception.networks.base import Network

# Kernels of CPUs and tensor cores work on blocks of 8 channels or a power of two more.
BLOCK = 8
# The widest layer of a kind is at most so many steps wide.
STEPS = 4


def widest_region(network: Network) -> str:
    """The region to open where time is what counts: ``all`` where a network has it, since no room costs nothing."""
    return "all" if "all" in network.regions else next(iter(network.regions))


def layer_runs(deployed: Network, done: Work) -> dict[str, list[Layer]]:
    """Convolutions and linear layers of a fused network by path, once for each time that they run on one image.

    Those whose widths are not free, as convolutions by groups, are left out. ``done`` is what was seen of it.
    """
    runs = {}
    for path, shapes in done.inputs.items():
        layer, upsampled = deployed.get_submodule(path), path in done.upsampled
        found = [_layer(layer, shape, upsampled) for shape in shapes]
        runs[path] = [layer for layer in found if layer is not None]
    return runs


def layers_of(network: Network) -> list[Layer]:
    """All layers of the fused form as they run on one image."""
    deployed = network.fused()
    return [layer for runs in layer_runs(deployed, work(deployed)).values() for layer in runs]


def widths_to_measure(network: Network) -> dict[Kind, Axes]:
    """Input and output widths by kind, of every kind with a layer that can shrink.

    All others are part of what is fixed.
    """
    deployed = network.fused()
    runs = layer_runs(deployed, work(deployed))
    shrinking = {slot.path for group in ChannelGroups(network, widest_region(network)) for slot in group.slots}
    kinds = {layer.kind: None for path, layers in runs.items() if path in shrinking for layer in layers}
    measured: dict[Kind, Axes] = {}
    for kind in kinds:
        alike = [layer for layers in runs.values() for layer in layers if layer.kind == kind]
        measured[kind] = Axes(grid(layer.inputs for layer in alike), grid(layer.outputs for layer in alike))
    return measured


def grid(widths: Iterable[int]) -> tuple[int, ...]:
    """Where to measure layers that have ``widths``: at the narrowest and the widest, at each step in between and one
    block behind it, because time goes up in stairs: a width just above a step costs as much as the next one. Where a
    step is one block, half a block is measured too: layers so narrow may have to go below one."""
    own = set(widths)
    narrowest, widest = min(own), max(own)
    step = BLOCK
    while step * STEPS < widest:
        step *= 2
    stairs = {width + behind for width in range(0, widest, step) for behind in (0, BLOCK)}
    if step == BLOCK:
        stairs.add(BLOCK // 2)
    return tuple(sorted({width for width in stairs if 0 < width < widest} | {narrowest, widest}))


def slimmed(network: Network, share: float) -> Network:
    """A copy that keeps ``share`` of the channels of every group, in blocks. Which ones makes no difference to its
    speed."""
    slim = copy.deepcopy(network)
    groups = ChannelGroups(slim, widest_region(slim))
    groups.remove({group.path: range(_kept(group.channels, share), group.channels) for group in groups})
    return slim


def _kept(channels: int, share: float) -> int:
    return min(channels, BLOCK * math.ceil(share * channels / BLOCK))


def _layer(layer: nn.Module, shape: tuple[int, ...], upsampled: bool) -> Layer | None:
    """The layer as it runs on an input of ``shape``, which may just have been ``upsampled``."""
    if isinstance(layer, nn.Linear):
        return Layer(Kind("linear", (math.prod(shape[1:-1]), 1)), layer.in_features, layer.out_features)
    if not isinstance(layer, CONVOLUTIONS) or isinstance(layer.padding, str):
        return None
    operator: Operator = "transposed" if isinstance(layer, nn.ConvTranspose2d) else "conv"
    inputs = layer.in_channels
    if operator == "conv" and 1 < layer.groups == layer.in_channels == layer.out_channels:
        operator, inputs = "depthwise", 1
    elif layer.groups > 1 or any(layer.output_padding):
        return None
    size = shape[2:]
    # Exported, the two are one where the convolution is narrow enough; a pair is not asked for any other kind.
    geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if upsampled and operator == "conv" and geometry == ((3, 3), (1, 1), (1, 1), (1, 1)):
        operator, size = "upsampled", (shape[2] // 2, shape[3] // 2)
    numbers = (size, *geometry)
    return Layer(Kind(operator, *((int(a), int(b)) for a, b in numbers)), inputs, layer.out_channels)
