"""Let mask heads compute at fewer positions: ``panoedge coarsen FILE --mask-stride 4 --out FILE``."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from perception import checkpoint
from perception.errors import InputError
from perception.files import check_writable
from perception.networks.base import Network


def coarsen_checkpoint(source: Path, mask_stride: int, out: Path) -> dict[str, Any]:
    """Write the network of checkpoint ``source`` with masks computed at every ``mask_stride``-th pixel.

    Returns:
        The new entry in its history.

    Raises:
        InputError: ``source`` is no checkpoint, its network offers no such stride, or ``out`` cannot be written.
    """
    check_writable(out)
    loaded = checkpoint.load(source)
    try:
        network = coarsened(loaded.network, mask_stride)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    record = {"stage": "coarsen", "mask_stride": mask_stride}
    checkpoint.save(out, network, [*loaded.history, record])
    return record


def coarsened(network: Network, mask_stride: int) -> Network:
    """The same network at another ``mask_stride``, a pruned one too; it has to be trained afterwards.

    Layers keep their weights. Those that come to write a block of pixels in place of one begin with the same answer for
    all pixels of it.

    Raises:
        InputError: the network offers no such stride, or its masks are not at full size now.
    """
    offered = [stride for stride in network.mask_strides if stride > 1]
    if mask_stride not in offered:
        raise InputError(f"mask stride {mask_stride}: {network.name} offers {', '.join(map(str, offered)) or 'none'}")
    if network.config["mask_stride"] != 1:
        raise InputError(f"mask stride {network.config['mask_stride']} already; start from the checkpoint before that")
    before = checkpoint.layer_widths(type(network)(**network.config))
    coarse = type(network)(**{**network.config, "mask_stride": mask_stride})
    widths = {path: list(numbers) for path, numbers in checkpoint.layer_widths(network).items()}
    for path, (inputs, outputs, _) in checkpoint.layer_widths(coarse).items():
        widths[path][1] *= outputs // before[path][1]
        widths[path][0] *= inputs // before[path][0]
    checkpoint.set_layer_widths(coarse, widths)
    old = network.state_dict()
    coarse.load_state_dict({key: _repeated(old[key], value) for key, value in coarse.state_dict().items()})
    coarse.spec = network.spec
    return coarse.eval()


def _repeated(weights: Tensor, like: Tensor) -> Tensor:
    """Each output channel as often as ``like`` has it, one copy after the other: the order of a pixel shuffle."""
    if weights.shape == like.shape:
        return weights
    return torch.repeat_interleave(weights, math.prod(like.shape) // math.prod(weights.shape), 0)
