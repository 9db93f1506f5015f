"""How large a network is and how much it computes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from perception.geometry import check_size
from perception.networks.base import Network


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
    """Count the weights, and the multiply-accumulates while one black image passes through.

    A convolution costs its kernel's size times its input channels (of one group) for every number it writes; a
    transposed one its kernel's size times its output channels (of one group) for every number it reads. Biases,
    normalisation and activations are not counted, as is the custom. The network is left as it was.

    Args:
        network: on any device, in either mode.
        size: input ``(height, width)`` in pixels; the network's own when absent.

    Raises:
        InputError: where ``size`` is no multiple of 32.
    """
    macs = 0

    def count(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        if isinstance(layer, nn.ConvTranspose2d):
            macs += inputs[0].numel() * layer.weight[0].numel()
        else:
            macs += output.numel() * layer.weight[0].numel()

    parameter = next(network.parameters())
    image = torch.zeros(1, 3, *check_size(size or network.spec.size), dtype=parameter.dtype, device=parameter.device)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
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
    return Cost(sum(parameter.numel() for parameter in network.parameters()), macs)
