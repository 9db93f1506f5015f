"""What a network would cost with some channels removed, without removing them."""

from collections.abc import Mapping

from torch import nn

from compress.groups import CONVOLUTIONS, ChannelGroups
from perception.cost import work
from perception.networks.base import Network


class CostModel:
    """Parameters and multiply-accumulates (one image) of a network's fused form as a function of its groups' widths.

    Both are sums over layers of products of channel counts, and a group's channel takes a known number of channels from
    each layer it runs through; so a plan can be priced in microseconds.
    """

    def __init__(self, network: Network, groups: ChannelGroups):
        deployed = network.fused()
        self._layers = {p: _Layer(layer) for p, layer in deployed.named_modules() if list(layer.parameters(False))}
        done = work(deployed)
        # No group runs through attention, so this share is fixed.
        self._attention = done.attention
        for path, count in done.positions.items():
            self._layers[path].positions = count
        self._taken: dict[str, list[tuple[_Layer, str, float]]] = {
            group.path: [
                (self._layers[slot.path], slot.side, len(slot.index) / group.channels)
                for slot in group.slots
                if slot.path in self._layers
            ]
            for group in groups
        }

    def cost(self, kind: str, removed: Mapping[str, int]) -> float:
        """``params`` or ``macs`` after taking ``removed`` channels from each group, by its path."""
        gone: dict[_Layer, list[float]] = {}
        for path, count in removed.items():
            for layer, side, each in self._taken[path]:
                gone.setdefault(layer, [0.0, 0.0])[side == "in"] += count * each
        left = [(layer, *gone.get(layer, (0.0, 0.0))) for layer in self._layers.values()]
        if kind == "params":
            return sum(layer.parameters(less_out, less_in) for layer, less_out, less_in in left)
        return self._attention + sum(layer.macs(less_out, less_in) for layer, less_out, less_in in left)


class _Layer:
    def __init__(self, layer: nn.Module):
        self.positions = 0
        self.bias = getattr(layer, "bias", None) is not None
        self.fixed = 0
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

    def parameters(self, less_out: float, less_in: float) -> float:
        return self._weights(less_out, less_in) + self.bias * (self.out - less_out) + self.fixed

    def macs(self, less_out: float, less_in: float) -> float:
        return self.positions * self._weights(less_out, less_in)

    def _weights(self, less_out: float, less_in: float) -> float:
        depthwise = self.groups > 1 and self.groups == self.inputs
        inputs = 1 if depthwise else (self.inputs - less_in) / self.groups
        return (self.out - less_out) * inputs * self.kernel
