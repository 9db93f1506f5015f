"""Which channels must go together: groups from Torch-Pruning's dependency graph, what they cost, and their removal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from perception.errors import InputError
from perception.networks.base import Network

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Slot:
    """One layer that a group's channels run through.

    Attributes:
        path: of the layer.
        side: ``out`` (what the layer writes), ``in`` (what it reads) or ``norm`` (one scale and shift a channel).
        axis: of the weight, along which these channels lie.
        index: channels of the layer, int64 ``[n]``.
        root: the group's channel each of them belongs to, int64 ``[n]``.
    """

    path: str
    side: str
    axis: int
    index: Tensor
    root: Tensor


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that live and die together across layers; ``path`` names the layer the group is found from."""

    path: str
    channels: int
    slots: tuple[Slot, ...]
    source: Any  # Torch-Pruning's own group, for its importances


class ChannelGroups:
    """The prunable groups of a network as it stands; build anew after a removal.

    Args:
        network: on any device.
        region: one of ``network.regions``; the first where None.

    Raises:
        InputError: for an unknown region.
    """

    def __init__(self, network: Network, region: str | None = None):
        region = region or next(iter(network.regions))
        if region not in network.regions:
            raise InputError(f"region {region!r}: {network.name} has {', '.join(network.regions)}")
        self._graph = trace(network)
        self._paths = {module: path for path, module in network.named_modules()}
        self._inside = network.regions[region]
        self._protected = network.protected
        self.groups = [group for group in self._all() if self._may_shrink(group)]

    def __iter__(self) -> Iterator[ChannelGroup]:
        return iter(self.groups)

    def remove(self, doomed: Mapping[str, Sequence[int]]) -> None:
        """Take channels out of the network, by group path."""
        modules = {path: module for module, path in self._paths.items()}
        for path, channels in doomed.items():
            if len(channels):
                module = modules[path]
                function = self._graph.get_pruner_of_module(module).prune_out_channels
                self._graph.get_pruning_group(module, function, sorted(channels)).prune()

    def _all(self) -> Iterator[ChannelGroup]:
        for source in self._graph.get_all_groups(root_module_types=[*CONVOLUTIONS, nn.Linear]):
            slots = tuple(self._slots(source))
            yield ChannelGroup(self._paths[source[0].dep.target.module], len(source[0].idxs), slots, source)

    def _slots(self, source: Iterable[Any]) -> Iterator[Slot]:
        for item in source:
            layer = item.dep.target.module
            if (
                not isinstance(layer, nn.Module)
                or layer not in self._paths
                or not list(layer.parameters(recurse=False))
            ):
                continue
            out = self._graph.is_out_channel_pruning_fn(item.dep.handler)
            side = ("out" if out else "in") if isinstance(layer, (*CONVOLUTIONS, nn.Linear)) else "norm"
            index, root = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
            yield Slot(self._paths[layer], side, _axis(layer, side), index, root)

    def _may_shrink(self, group: ChannelGroup) -> bool:
        producers = [slot.path for slot in group.slots if slot.side == "out"]
        return all(_within(path, self._inside) and not _within(path, self._protected) for path in producers)


def _within(path: str, prefixes: Iterable[str]) -> bool:
    return any(path == prefix or path.startswith(prefix + ".") for prefix in prefixes)


def trace(network: Network) -> tp.DependencyGraph:
    """Torch-Pruning's dependency graph of a network."""
    height, width = network.spec.size
    device = next(network.parameters()).device
    was_training = network.training
    example = torch.zeros(1, 3, height, width, device=device)
    graph = tp.DependencyGraph().build_dependency(network.eval(), example, output_transform=_tensors, verbose=False)
    network.train(was_training)
    return graph


def _tensors(raw: Any) -> list[Tensor]:
    if isinstance(raw, Tensor):
        return [raw]
    parts = raw.values() if isinstance(raw, dict) else raw
    return [tensor for part in parts for tensor in _tensors(part)]


def channel_sums(group: ChannelGroup, values: dict[str, Tensor]) -> Tensor:
    """Sum ``values`` (shaped like parameters, by name) over all weights of each channel: float64 ``[channels]``."""
    total = torch.zeros(group.channels, dtype=torch.float64)
    for slot in group.slots:
        for name in ("weight", "bias"):
            value = values.get(f"{slot.path}.{name}")
            if value is None or (slot.side == "in" and name == "bias"):
                continue
            along = min(slot.axis, value.ndim - 1)
            others = [axis for axis in range(value.ndim) if axis != along]
            sums = (value.sum(others) if others else value).double().cpu()
            if len(sums) <= int(slot.index.max()):  # grouped convolution: columns repeat
                sums = sums.repeat(-(-(int(slot.index.max()) + 1) // len(sums)))
            total.index_add_(0, slot.root, sums[slot.index])
    return total


def _axis(layer: nn.Module, side: str) -> int:
    """Convolutions and linear layers keep outputs first; transposed convolutions inputs, unless they are depthwise."""
    transposed = isinstance(layer, nn.ConvTranspose2d) and not 1 < layer.groups == layer.in_channels
    return int((side == "in") != transposed)
