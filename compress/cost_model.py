"""What a network would cost with some channels removed, without removing them."""

from collections.abc import Mapping

from torch import nn

from compress.groups import CONVOLUTIONS, ChannelGroups
from compress.latency import layer_runs
from compress.names import COST_KINDS
from perception.cost import work
from perception.layer_times import Price, Times, nothing
from perception.networks.base import Network


class CostModel:
    """Parameters, multiply-accumulates (one image) and milliseconds of a network's fused form as a function of its
    groups' widths.

    All are sums over layers of functions of two channel counts, and a group's channel takes a known number of channels
    from each layer it runs through; so a plan can be priced in microseconds.

    Args:
        network: as it stands.
        groups: that may shrink.
        times: of its layers; without them there is no ``latency``.

    Attributes:
        kinds: of cost that are known.
    """

    def __init__(self, network: Network, groups: ChannelGroups, times: Times | None = None):
        self.kinds = COST_KINDS if times else COST_KINDS[:2]
        deployed = network.fused()
        self._layers = {p: _Layer(layer) for p, layer in deployed.named_modules() if list(layer.parameters(False))}
        done = work(deployed)
        # No group runs through attention, so this share is fixed.
        self._fixed: dict[str, float] = {"params": 0, "macs": done.attention, "latency": times.fixed if times else 0}
        for path, count in done.positions.items():
            self._layers[path].positions = count
        if times:
            for path, runs in layer_runs(deployed, done).items():
                self._layers[path].price = times.of(path, runs)
        self._of_group: dict[str, list[_Layer]] = {}
        for group in groups:
            slots = [slot for slot in group.slots if slot.path in self._layers]
            for slot in slots:
                self._layers[slot.path].takes[slot.side == "in"].append((group.path, len(slot.index) / group.channels))
            self._of_group[group.path] = [self._layers[path] for path in dict.fromkeys(slot.path for slot in slots)]

    def cost(self, kind: str, removed: Mapping[str, int]) -> float:
        """``params``, ``macs`` or ``latency`` after taking ``removed`` channels from each group, by its path."""
        return self._fixed[kind] + sum(layer.cost(kind, removed) for layer in self._layers.values())

    def saving(self, kind: str, removed: Mapping[str, int], group: str, count: int) -> float:
        """By how much that cost falls if ``count`` more channels go from one group."""
        after = {**removed, group: removed.get(group, 0) + count}
        return sum(layer.cost(kind, removed) - layer.cost(kind, after) for layer in self._of_group[group])

    def sharing(self, group: str) -> set[str]:
        """The groups that run through a layer of this one, itself among them: those whose savings it changes."""
        return {path for layer in self._of_group[group] for taken in layer.takes for path, _ in taken}


class _Layer:
    def __init__(self, layer: nn.Module):
        self.positions = 0
        self.bias = getattr(layer, "bias", None) is not None
        self.fixed = 0
        self.price: Price = nothing
        # Groups that take outputs, and that take inputs, with how many their channel takes.
        self.takes: tuple[list[tuple[str, float]], list[tuple[str, float]]] = ([], [])
        if isinstance(layer, CONVOLUTIONS):
            self.out, self.inputs, self.groups = layer.out_channels, layer.in_channels, layer.groups
            self.kernel = layer.kernel_size[0] * layer.kernel_size[1]
        elif isinstance(layer, nn.Linear):
            self.out, self.inputs, self.groups, self.kernel = layer.out_features, layer.in_features, 1, 1
        elif isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            self.out, self.inputs, self.groups, self.kernel = layer.weight.numel(), 1, 1, 1
        else:
            self.fixed = sum(parameter.numel() for parameter in layer.parameters(False))
            self.out = self.inputs = self.kernel = 0
            self.groups = 1

    def cost(self, kind: str, removed: Mapping[str, int]) -> float:
        out, inputs = (
            width - sum(removed.get(group, 0) * each for group, each in taken)
            for width, taken in zip((self.out, self.inputs), self.takes, strict=True)
        )
        if kind == "latency":
            return self.price(inputs, out)
        depthwise = self.groups > 1 and self.groups == self.inputs
        weights = out * (1 if depthwise else inputs / self.groups) * self.kernel
        return weights + self.bias * out + self.fixed if kind == "params" else self.positions * weights
