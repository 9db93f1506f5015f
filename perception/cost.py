"""How large a network is and how much it computes."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from perception.geometry import check_size
from perception.networks.base import Network

_Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Cost:
    """What one image costs.

    Attributes:
        parameters: trainable weights, those that are frozen at the moment included.
        macs: multiply-accumulates of convolutions, transposed convolutions and linear layers.
    """

    parameters: int
    macs: int


def cost(network: Network, size: tuple[int, int] | None = None) -> Cost:
    """Count the weights, and the multiply-accumulates while one image passes through.

    Biases, normalisation and activations are not counted among the latter, as is the custom.

    Args:
        network: on any device, in either mode.
        size: input ``(height, width)`` in pixels; the network's own when absent.

    Raises:
        InputError: where ``size`` is no multiple of 32.
    """
    counts = positions(network, size)
    macs = sum(count * network.get_parameter(f"{path}.weight").numel() for path, count in counts.items())
    return Cost(sum(parameter.numel() for parameter in network.parameters()), macs)


def positions(network: Network, size: tuple[int, int] | None = None) -> dict[str, int]:
    """How often each convolution and linear layer applies all its weights while one image passes through, by path.

    A convolution does so once for every pixel it writes, a transposed one for every pixel it reads. Layers that are not
    used are absent. The network is left as it was; arguments and errors are those of :func:`cost`.
    """
    counts: dict[str, int] = {}

    def count(path: str, layer: _Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outside = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        # The first side of the weight has as many channels as this tensor.
        counts[path] = counts.get(path, 0) + outside.numel() // len(layer.weight)

    parameter = next(network.parameters())
    image = torch.zeros(1, 3, *check_size(size or network.spec.size), dtype=parameter.dtype, device=parameter.device)
    layers = {p: m for p, m in network.named_modules() if isinstance(m, _Layer)}
    hooks = [layer.register_forward_hook(partial(count, path)) for path, layer in layers.items()]
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.no_grad():
            # In evaluation mode: else batch norms would learn from the black image.
            network.eval()(image)
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return counts
