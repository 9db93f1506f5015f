"""Ask a network for less: masks computed at fewer positions, fewer queries.

panoedge coarsen FILE --mask-stride 4 --queries 100 --out FILE
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compress.regrid import regrid
from perception import checkpoint
from perception.errors import InputError
from perception.files import check_writable
from perception.networks.base import Network


def coarsen_checkpoint(source: Path, out: Path, mask_stride: int | None = None, queries: int | None = None) -> None:
    """Write what :func:`coarsened` makes of the network of checkpoint ``source``.

    Raises:
        InputError: ``source`` is no checkpoint, its network offers no such thing, or ``out`` cannot be written.
    """
    check_writable(out)
    loaded = checkpoint.load(source)
    try:
        network = coarsened(loaded.network, mask_stride, queries)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    changes: dict[str, Any] = {"mask_stride": mask_stride, "queries": queries}
    record = {"stage": "coarsen", **{name: value for name, value in changes.items() if value is not None}}
    checkpoint.save(out, network, [*loaded.history, record])


def coarsened(network: Network, mask_stride: int | None = None, queries: int | None = None) -> Network:
    """The same network, a pruned one too, that does less; None leaves things as they are.

    Convolutions that come to compute at fewer positions get kernels that do there what the old ones did
    (:mod:`compress.regrid`), so that masks begin near the old ones and lose detail; all others keep their weights.
    Fewer queries need no training.

    Args:
        network: as it stands.
        mask_stride: pixels between the positions that the last layers of its mask heads compute at.
        queries: how many look for objects, where a transformer does.

    Raises:
        InputError: nothing is asked for, the network does not offer it, or its masks are not at full size now.
    """
    config = dict(network.config)
    if mask_stride is None and queries is None:
        raise InputError("nothing to do; ask for a mask stride or for queries")
    if mask_stride is not None:
        offered = [stride for stride in network.mask_strides if stride > 1]
        if mask_stride not in offered:
            names = ", ".join(map(str, offered)) or "none"
            raise InputError(f"mask stride {mask_stride}: {network.name} offers {names}")
        if config["mask_stride"] != 1:
            raise InputError(f"mask stride {config['mask_stride']} already; start from the checkpoint before that")
        config["mask_stride"] = mask_stride
    if queries is not None:
        if not 1 <= queries <= config.get("queries", 0):
            raise InputError(f"queries {queries}: {network.name} has {config.get('queries', 'none')}")
        config["queries"] = queries
    return _rebuilt(network, config)


def _rebuilt(network: Network, config: dict[str, Any]) -> Network:
    """``network`` with another configuration, of which some layers have several times the outputs."""
    before = checkpoint.layer_widths(type(network)(**network.config))
    coarse = type(network)(**config)
    widths = checkpoint.layer_widths(network)
    for path, (inputs, outputs, _) in checkpoint.layer_widths(coarse).items():
        widths[path][0] *= inputs // before[path][0]
        widths[path][1] *= outputs // before[path][1]
    checkpoint.set_layer_widths(coarse, widths)
    old = network.state_dict()
    coarse.load_state_dict({key: _repeated(old[key], value) for key, value in coarse.state_dict().items()})
    coarse.spec = network.spec
    if config.get("mask_stride") != network.config.get("mask_stride"):
        regrid(network, coarse)
    return coarse.eval()


def _repeated(weights: Tensor, like: Tensor) -> Tensor:
    """Each output channel as often as ``like`` has it, one copy after the other: the order of a pixel shuffle."""
    if weights.shape == like.shape:
        return weights
    return torch.repeat_interleave(weights, math.prod(like.shape) // math.prod(weights.shape), 0)
