"""How large a network is and how much it computes, as it is deployed."""

from dataclasses import dataclass, field
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
        macs: multiply-accumulates of convolutions, transposed convolutions, linear layers and attention.
    """

    parameters: int
    macs: int


@dataclass
class Work:
    """What is computed while one image passes through.

    Attributes:
        positions: how often each convolution and linear layer applies all its weights, by path. A convolution does so
            once for every pixel it writes, a transposed one for every pixel it reads. Layers not used are absent.
        inputs: shape of what such a layer reads, each time that it runs, by path.
        upsampled: paths of the layers that read what nearest upsampling by two has just written.
        attention: multiply-accumulates of ``nn.MultiheadAttention``: projections, and products of queries with keys and
            of weights with values.
    """

    positions: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    upsampled: set[str] = field(default_factory=set)
    attention: int = 0


def cost(network: Network, size: tuple[int, int] | None = None) -> Cost:
    """Count the weights of the network's fused form, and the multiply-accumulates while one image passes through it.

    Biases, normalisation, activations and sampling between pixels are not counted among the latter, as is the custom.

    Args:
        network: on any device, in either mode; left as it was.
        size: input ``(height, width)`` in pixels; the network's own when absent.

    Raises:
        InputError: where ``size`` is no multiple of 32.
    """
    network = network.fused()
    done = work(network, size)
    macs = sum(count * network.get_parameter(f"{path}.weight").numel() for path, count in done.positions.items())
    return Cost(sum(parameter.numel() for parameter in network.parameters()), macs + done.attention)


def work(network: Network, size: tuple[int, int] | None = None) -> Work:
    """Watch one image pass through ``network``, which is left as it was; arguments and errors as in :func:`cost`."""
    done = Work()
    doubled: Tensor | None = None

    def layer_ran(path: str, layer: _Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outside = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        # The first side of the weight has as many channels as this tensor.
        done.positions[path] = done.positions.get(path, 0) + outside.numel() // len(layer.weight)
        done.inputs.setdefault(path, []).append(tuple(inputs[0].shape))
        if inputs[0] is doubled:
            done.upsampled.add(path)

    def upsampling_ran(layer: nn.Upsample, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal doubled
        height, width = inputs[0].shape[-2:]
        doubled = output if layer.mode == "nearest" and output.shape[-2:] == (2 * height, 2 * width) else None

    def attention_ran(layer: nn.MultiheadAttention, inputs: tuple, named: dict, output: object) -> None:
        given = dict(zip(("query", "key", "value"), inputs, strict=False)) | named
        query, key, value = given["query"], given["key"], given["value"]
        width = layer.embed_dim
        queries, keys = query.numel() // query.shape[-1], key.numel() // key.shape[-1]
        projections = query.numel() + key.numel() + value.numel() + queries * width
        done.attention += width * (projections + 2 * queries * keys)

    parameter = next(network.parameters())
    image = torch.zeros(1, 3, *check_size(size or network.spec.size), dtype=parameter.dtype, device=parameter.device)
    modules = network.named_modules()
    hooks = [m.register_forward_hook(partial(layer_ran, path)) for path, m in modules if isinstance(m, _Layer)]
    upsamplings = [m for m in network.modules() if isinstance(m, nn.Upsample)]
    hooks += [layer.register_forward_hook(upsampling_ran) for layer in upsamplings]
    attentions = [m for m in network.modules() if isinstance(m, nn.MultiheadAttention)]
    hooks += [layer.register_forward_hook(attention_ran, with_kwargs=True) for layer in attentions]
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
    return done
