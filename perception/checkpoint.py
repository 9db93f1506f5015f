"""A network in one ``.safetensors`` file: weights, and a JSON header that says how to rebuild it.

The header holds the network's name and configuration, the shape of every tensor of the (possibly pruned) network is in
the file itself, and so is the history of stages. Reading one never runs code.
"""

import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from perception.errors import MALFORMED, InputError, brief
from perception.files import atomic, open_regular
from perception.networks import network_class
from perception.networks.base import Network
from perception.spec import InputSpec

FORMAT = 1
_KEY = "panoedge"


@dataclass(frozen=True)
class Checkpoint:
    """A network with its past.

    Attributes:
        network: rebuilt, in evaluation mode, on the CPU.
        history: what was done to it, one dictionary a stage, oldest first.
    """

    network: Network
    history: list[dict[str, Any]] = field(default_factory=list)


def save(path: Path, network: Network, history: list[dict[str, Any]], half: bool = False) -> None:
    """Write ``network`` whole. ``half`` stores floating-point weights in FP16: half the bytes, for shipping."""
    header = {
        "format": FORMAT,
        "network": network.name,
        "config": network.config,
        "widths": layer_widths(network),
        "spec": network.spec.to_json(),
        "history": history,
    }
    tensors = network.state_dict()
    if half:
        tensors = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    write_tensors(path, tensors, {_KEY: json.dumps(header)})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a ``.safetensors`` file whole; raises :class:`InputError` where it cannot be written."""
    plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    with atomic(path) as temporary:
        try:
            save_file(plain, temporary, metadata)
        except SafetensorError as error:  # of a full disk too
            raise OSError(str(error)) from None


def load(path: Path) -> Checkpoint:
    """Rebuild the network that :func:`save` wrote; the file is all it takes.

    Raises:
        InputError: for a file that is missing, truncated, of another kind or of a newer format.
    """
    path = Path(path)
    header = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        network = _rebuild(header, tensors)
        history = list(header["history"])
        if not all(isinstance(stage, dict) for stage in history):
            raise ValueError("a history without stages")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (*MALFORMED, SafetensorError, RuntimeError, OSError) as error:
        raise InputError(f"{path}: damaged checkpoint ({' '.join(str(error).split())[:200]})") from None
    return Checkpoint(network.eval(), history)


def _rebuild(header: dict[str, Any], tensors: Mapping[str, Tensor]) -> Network:
    """The network of a header with its weights, for which memory is taken only once ``tensors`` are known to fit."""
    _check_widths(header["widths"], tensors)
    with _without_weights():
        network = network_class(header["network"])(**header["config"])
        set_layer_widths(network, header["widths"])
    network.spec = InputSpec.from_json(header["spec"])
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    if unfit := shapes.items() ^ {key: value.shape for key, value in tensors.items()}.items():
        raise ValueError(f"tensors differ: {sorted({key for key, _ in unfit})[:3]}")
    for parameter in network.parameters():
        _move(parameter, "cpu")
    network.load_state_dict(tensors)
    return network


@contextmanager
def _without_weights() -> Iterator[None]:
    """Parameters of modules that this thread makes meanwhile have a shape alone, on torch's device ``meta``.

    All other tensors are real: those that a checkpoint does not hold have their values from the constructor.
    """
    thread = threading.get_ident()

    def forget(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        if threading.get_ident() == thread:
            _move(parameter, "meta")

    # Called before a layer draws its weights, so nothing has touched their memory yet.
    hook = register_module_parameter_registration_hook(forget)
    try:
        yield
    finally:
        hook.remove()


def _move(parameter: nn.Parameter, device: str) -> None:
    """Take a parameter to another device without its values; whoever holds it, holds it still."""
    empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
    torch.utils.swap_tensors(parameter, nn.Parameter(empty, parameter.requires_grad))


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header alone, without building the network."""
    path = Path(path)
    try:
        with open_regular(path) as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 0 < length <= path.stat().st_size - 8:
                raise InputError(f"{path}: not a panoedge checkpoint, or truncated{_guess(start)}")
            metadata = json.loads(file.read(length).decode("utf-8")).get("__metadata__", {})
        header = dict(json.loads(metadata[_KEY]))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except MALFORMED:
        raise InputError(f"{path}: a safetensors file, but not written by panoedge") from None
    if header.get("format") != FORMAT:
        raise InputError(f"{path}: checkpoint format {brief(header.get('format'))}; this version reads {FORMAT}")
    return header


def layer_widths(network: nn.Module) -> dict[str, list[int]]:
    """``[inputs, outputs, groups]`` of every layer that has channels, by path."""
    widths = {}
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            widths[path] = [layer.in_channels, layer.out_channels, layer.groups]
        elif isinstance(layer, nn.Linear):
            widths[path] = [layer.in_features, layer.out_features, 1]
        elif isinstance(layer, nn.BatchNorm2d):
            widths[path] = [layer.num_features, layer.num_features, 1]
    return widths


def set_layer_widths(network: nn.Module, widths: dict[str, list[int]]) -> None:
    """Give every layer the recorded channel counts; all weights of layers that change become zero, to be loaded next.

    Raises:
        KeyError, ValueError: where the record and the network do not have the same layers.
    """
    now = layer_widths(network)
    if now.keys() != widths.keys():
        raise ValueError(f"layers differ: {sorted(now.keys() ^ widths.keys())[:3]}")
    for path, wanted in widths.items():
        if wanted != now[path]:
            _resize(network.get_submodule(path), *wanted)


def _check_widths(widths: dict[str, list[int]], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError where a layer would be larger than its tensor, before memory is taken for it."""
    for path, (inputs, outputs, groups) in widths.items():
        weight = tensors.get(f"{path}.weight")
        if weight is not None and outputs * (inputs // groups if weight.ndim > 1 else 1) > weight.numel():
            raise ValueError(f"{path} is wider than its weights")


def _resize(layer: nn.Module, inputs: int, outputs: int, groups: int) -> None:
    if min(inputs, outputs, groups) < 1 or inputs % groups or outputs % groups or max(inputs, outputs) > 1 << 16:
        raise ValueError(f"impossible widths {inputs}, {outputs}, {groups}")
    if isinstance(layer, nn.Conv2d):
        layer.in_channels, layer.out_channels, layer.groups = inputs, outputs, groups
        _replace(layer, "weight", (outputs, inputs // groups, *layer.kernel_size))
        _replace(layer, "bias", (outputs,))
    elif isinstance(layer, nn.ConvTranspose2d):
        layer.in_channels, layer.out_channels, layer.groups = inputs, outputs, groups
        _replace(layer, "weight", (inputs, outputs // groups, *layer.kernel_size))
        _replace(layer, "bias", (outputs,))
    elif isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = inputs, outputs
        _replace(layer, "weight", (outputs, inputs))
        _replace(layer, "bias", (outputs,))
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = outputs
        for name in ("weight", "bias", "running_mean", "running_var"):
            _replace(layer, name, (outputs,))


def _replace(layer: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    weight = layer._parameters.get(name)
    if weight is not None:
        setattr(layer, name, nn.Parameter(torch.zeros(shape, device=weight.device)))
    elif layer._buffers.get(name) is not None:
        layer._buffers[name] = torch.zeros(shape)


def _guess(start: bytes) -> str:
    if start.startswith((b"PK", b"\x80")):
        return " (a pickle, which could run code; only .safetensors files are opened; panoedge import makes one of it)"
    return ""
