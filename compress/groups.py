"""Which channels must go together: groups from Torch-Pruning's dependency graph, what they cost, and their removal."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from perception.checkpoint import layer_widths
from perception.errors import InputError
from perception.networks.base import Network

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
# What is coupled to what does not depend on the picture's size, so that no larger one is traced.
TRACED_PIXELS = 256


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

    def readers(self) -> "ChannelGroup":
        """The same group, of the layers alone that read its channels."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.side == "in"))


class ChannelGroups:
    """The prunable groups of a network as it stands; build anew after a removal.

    A group may shrink where every layer that writes its channels lies in the region and is not protected, some layer
    reads them, and all they run through are convolutions (plain or depthwise), linear layers and batch norms. So
    whatever layer norms, attention, convolutions by groups or a bare parameter tie together stays whole.

    Args:
        network: on any device.
        region: one of ``network.regions``; the first where None.
        keep: paths of layers or of parts that keep all channels they write or normalise, beside ``network.protected``.

    Raises:
        InputError: for an unknown region or path, or where no channels may go.
    """

    def __init__(self, network: Network, region: str | None = None, keep: Sequence[str] = ()):
        region = region or next(iter(network.regions))
        if region not in network.regions:
            raise InputError(f"region {region!r}: {network.name} has {', '.join(network.regions)}")
        self._network = network
        self._graph = trace(network)
        self._paths = {module: path for path, module in network.named_modules()}
        for path in keep:
            if not any(_within(known, [path]) for known in layer_widths(network)):
                raise InputError(f"keep {path!r}: {network.name} has no such layer, see panoedge info --layers")
        self._inside = network.regions[region]
        self._protected, self._kept = network.protected, keep
        self.groups = [group for group in self._all() if self._may_shrink(group)]
        if not self.groups:
            beside = ", beside what is to keep them" if self._kept else ""
            raise InputError(f"region {region}: {network.name} has no channels there that may go{beside}")

    def __iter__(self) -> Iterator[ChannelGroup]:
        return iter(self.groups)

    def remove(self, doomed: Mapping[str, Sequence[int]]) -> None:
        """Take channels out of the network, by group path."""
        for path, channels in doomed.items():
            if len(channels):
                module = self._network.get_submodule(path)
                function = self._graph.get_pruner_of_module(module).prune_out_channels
                for dependency, indices in self._graph.get_pruning_group(module, function, sorted(channels)):
                    # The parameters that may stand here are weights of whole tensors: they have no channels.
                    if isinstance(dependency.target.module, nn.Module):
                        dependency(indices)

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
        return (
            all(_within(path, self._inside) and not _within(path, self._protected) for path in producers)
            and not any(_within(slot.path, self._kept) for slot in group.slots if slot.side != "in")
            and bool(group.readers().slots)
            and all(_resizable(self._network.get_submodule(slot.path)) for slot in group.slots)
            and not any(_has_channels(item.dep.target.module, group.channels) for item in group.source)
        )


@contextmanager
def weakened(
    network: Network, groups: Iterable[ChannelGroup], doomed: Mapping[str, Sequence[int]], strength: float
) -> Iterator[None]:
    """The channels of ``doomed``, by group path, are read at ``strength`` of what they are; at 0 they are gone."""
    whole: dict[str, Tensor] = {}
    for group in groups:
        going = torch.zeros(group.channels, dtype=torch.bool)
        going[list(doomed.get(group.path, ()))] = True
        for slot in group.readers().slots:
            weight = network.get_parameter(f"{slot.path}.weight")
            whole.setdefault(slot.path, weight.detach().clone())
            weight.data.transpose(0, slot.axis)[slot.index[going[slot.root]]] *= strength
    try:
        yield
    finally:
        for path, kept in whole.items():
            network.get_parameter(f"{path}.weight").data.copy_(kept)


def _within(path: str, prefixes: Iterable[str]) -> bool:
    return any(path == prefix or path.startswith(prefix + ".") for prefix in prefixes)


def _resizable(layer: nn.Module) -> bool:
    if isinstance(layer, CONVOLUTIONS):
        return layer.groups == 1 or layer.groups == layer.in_channels == layer.out_channels
    return isinstance(layer, nn.Linear | nn.BatchNorm2d)


def _has_channels(part: Any, channels: int) -> bool:
    return isinstance(part, nn.Parameter) and channels in part.shape


def trace(network: Network) -> tp.DependencyGraph:
    """Torch-Pruning's dependency graph of a network."""
    device = next(network.parameters()).device
    was_training = network.training
    example = (torch.zeros(1, 3, *(min(side, TRACED_PIXELS) for side in network.spec.size), device=device),)
    with warnings.catch_warnings():
        # Where it cannot tell how many channels come from a long chain of layers, it takes them as they come.
        warnings.filterwarnings("ignore", "Maximum recursive depth")
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
