"""What the gradients of each task's loss say of every channel: its importance to the task, and where tasks disagree."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from compress.data import Batch, labelled
from compress.groups import ChannelGroup, channel_sums
from compress.processes import collected
from perception.errors import InputError
from perception.networks.base import Network, Targets

# By name of a parameter, or by path of a layer for what the layer writes; absent where the task does not reach.
Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class Measured:
    """Averages over calibration batches, by group path where they are of channels, float64.

    Attributes:
        tasks: in the order of the rows below.
        importance: ``[tasks, channels]``.
        change: of each task's loss without the channel, to first order, ``[tasks, channels]``.
        by_pair: conflict of each pair of tasks, in the order of ``itertools.combinations``, ``[pairs, channels]``.
        conflict: of all pairs together, ``[channels]``.
        mean: importance over the channels of all groups that the task's loss reaches, ``[tasks]``.
    """

    tasks: tuple[str, ...]
    importance: dict[str, Tensor]
    change: dict[str, Tensor]
    by_pair: dict[str, Tensor]
    conflict: dict[str, Tensor]
    mean: Tensor


def measure(
    network: Network, groups: Iterable[ChannelGroup], batches: Iterable[Batch], source: str | None = "weights"
) -> Measured:
    """Per-task Taylor importance and gradient conflict of every channel, averaged over all processes' ``batches``.

    A task counts in the batches that are labelled for it, a pair of tasks in those that are for both.

    Importance is mean_b |sum(w_c * g_t,c)| over the weights that read the channel: the gradient on a gate behind it.
    Conflict of two tasks is max(0, -cos) of, by ``source``, None for none:

    - ``weights``: the gradients on all of the channel's weights, averaged over batches; pairs are averaged;
    - ``worst``: the same, but of the pair that disagrees most;
    - ``activations``: the gradients on what the layers write into the channel, at every position of every image;
    - ``signed``: the sums of w_c * g_t,c, one a batch, as vectors over batches: does removing the channel change both
      losses in the same direction?

    The network runs in evaluation mode: batch norms use what they learnt.

    Raises:
        InputError: without a batch for one of the tasks, or where a task's importance is not finite.
    """
    network.eval()
    weights = ranked_weights(network, groups)
    found: list[_OfBatch] = []
    with written(network, groups if source == "activations" else ()) as activations:
        for images, targets in batches:
            by_task = task_gradients(network, weights, images, targets, activations)
            found.append(_of_batch(by_task, groups, weights, source, targets.names))
    found = collected(found)
    _refuse_spoiled(network, found)
    tasks = network.spec.tasks
    if unseen := [task for task in tasks if not _of(found, task)]:
        raise InputError(f"importance: no calibration frames with labels for {', '.join(unseen)}; raise --calibration")
    importance, change, by_pair = {}, {}, {}
    for group in groups:
        signed = [torch.stack([batch.signed[task][group.path] for batch in _of(found, task)]) for task in tasks]
        importance[group.path] = torch.stack([sums.abs().mean(0) for sums in signed])
        change[group.path] = torch.stack([-sums.mean(0) for sums in signed])
        pairs = [_clash(found, pair, group.path, source) for pair in itertools.combinations(tasks, 2) if source]
        by_pair[group.path] = torch.stack(pairs) if pairs else importance[group.path][:0]
    join = _largest if source == "worst" else _average
    every = torch.cat(list(importance.values()), 1)
    mean = (every.sum(1) / every.count_nonzero(1).clamp(min=1)).clamp(min=1e-30)
    return Measured(tasks, importance, change, by_pair, {path: join(pairs) for path, pairs in by_pair.items()}, mean)


class _OfBatch(NamedTuple):
    """By task the sums of w_c * g_t,c over readers, and by pair of tasks their conflict, each by group path,
    ``[channels]``; the names of the frames."""

    signed: dict[str, dict[str, Tensor]]
    clashes: dict[frozenset[str], dict[str, Tensor]]
    names: tuple[str, ...]

    @property
    def spoiled(self) -> list[str]:
        """Tasks whose sums are not all finite."""
        return [task for task, sums in self.signed.items() if not all(part.isfinite().all() for part in sums.values())]


def _of_batch(
    by_task: Mapping[str, Gradients],
    groups: Iterable[ChannelGroup],
    weights: Mapping[str, Tensor],
    source: str | None,
    names: tuple[str, ...],
) -> _OfBatch:
    read = {group.path: group.readers() for group in groups}
    signed = {
        task: {
            group.path: channel_sums(read[group.path], _products(read[group.path], weights, gradients))
            for group in groups
        }
        for task, gradients in by_task.items()
    }
    pairs = itertools.combinations(by_task, 2)
    clashes: dict[frozenset[str], dict[str, Tensor]] = {frozenset(pair): {} for pair in pairs}
    if source not in (None, "signed"):
        dot = _dot_of_activations if source == "activations" else _dot_of_weights
        for group in groups:
            oppositions = _oppositions(by_task.values(), partial(dot, group))
            for clash, opposition in zip(clashes.values(), oppositions, strict=True):
                clash[group.path] = opposition
    return _OfBatch(signed, clashes, names)


def _refuse_spoiled(network: Network, found: Sequence[_OfBatch]) -> None:
    """Raise :class:`InputError` where sums are not finite; it names tasks and frames of the first such batch."""
    if spoiled := [batch for batch in found if batch.spoiled]:
        raise InputError(
            f"{network.name}: importance for {', '.join(spoiled[0].spoiled)} is not finite in {len(spoiled)} of "
            f"{len(found)} batches, first of the frames {', '.join(spoiled[0].names)}; nor are its losses or weights"
        )


def _of(found: Iterable[_OfBatch], *tasks: str) -> list[_OfBatch]:
    """The batches that are labelled for all of ``tasks``."""
    return [batch for batch in found if batch.signed.keys() >= set(tasks)]


def _clash(found: Iterable[_OfBatch], pair: tuple[str, str], path: str, source: str) -> Tensor:
    """Conflict of two tasks in a group, ``[channels]``; none where no batch is labelled for both."""
    both = _of(found, *pair)
    if not both:
        return torch.zeros_like(_of(found, pair[0])[0].signed[pair[0]][path])
    if source == "signed":
        sums = [torch.stack([batch.signed[task][path] for batch in both]) for task in pair]
        return _oppositions(sums, _dot_of_sums)[0]
    return torch.stack([batch.clashes[frozenset(pair)][path] for batch in both]).mean(0)


def ranked_weights(network: Network, groups: Iterable[ChannelGroup]) -> dict[str, Tensor]:
    """The parameters that the channels of ``groups`` run through, by name; no other needs a gradient."""
    layers = {slot.path for group in groups for slot in group.slots}
    return {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and name.rpartition(".")[0] in layers
    }


def task_gradients(
    network: Network,
    weights: Mapping[str, Tensor],
    images: Tensor,
    targets: Targets,
    activations: Mapping[str, Tensor] | None = None,
) -> dict[str, Gradients]:
    """Gradients of each task's loss by task: one forward pass, one backward pass a task that is labelled.

    Args:
        network: on any device.
        weights: its parameters by name.
        images: uint8 ``[N, H, W, 3]``.
        targets: their labels.
        activations: filled during the forward pass, see :func:`written`; gradients on them are asked for too.
    """
    device = next(network.parameters()).device
    losses = labelled(network.losses(network(network.normalise(images.to(device))), targets.to(device)), targets)
    wanted = {**weights, **(activations or {})}
    by_task: dict[str, Gradients] = {}
    for number, (task, loss) in enumerate(losses.items(), 1):
        found = torch.autograd.grad(loss, list(wanted.values()), retain_graph=number < len(losses), allow_unused=True)
        by_task[task] = {name: g for name, g in zip(wanted, found, strict=True) if g is not None}
    return by_task


@contextmanager
def written(network: Network, groups: Iterable[ChannelGroup]) -> Iterator[dict[str, Tensor]]:
    """What layers write into the channels of ``groups`` in the latest forward pass, by path of the layer."""
    outputs: dict[str, Tensor] = {}
    paths = {slot.path for group in groups for slot in group.slots if slot.side == "out"}

    def keep(path: str) -> Callable[..., None]:
        return lambda layer, inputs, output: outputs.update({path: output})

    hooks = [network.get_submodule(path).register_forward_hook(keep(path)) for path in paths]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _oppositions(vectors: Iterable[Any], dot: Callable[[Any, Any], Tensor]) -> Tensor:
    """max(0, -cos) of every pair of ``vectors`` as ``[pairs, channels]``; ``dot`` multiplies two, by channel."""
    normed = [(vector, dot(vector, vector).sqrt()) for vector in vectors]
    pairs = [
        (-dot(a, b) / (norm * other).clamp(min=1e-30)).clamp(0, 1)
        for (a, norm), (b, other) in itertools.combinations(normed, 2)
    ]
    return torch.stack(pairs) if pairs else normed[0][1].new_zeros(0, len(normed[0][1]))


def _dot_of_weights(group: ChannelGroup, first: Gradients, second: Gradients) -> Tensor:
    return channel_sums(group, _products(group, first, second))


def _dot_of_sums(first: Tensor, second: Tensor) -> Tensor:
    """Of ``[batches, channels]``."""
    return (first * second).sum(0)


def _products(group: ChannelGroup, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> Gradients:
    """Of one group only, so that no more than its own weights are copied at a time."""
    names = {f"{slot.path}.{name}" for slot in group.slots for name in ("weight", "bias")}
    return {name: first[name].detach() * second[name] for name in names & first.keys() & second.keys()}


def _dot_of_activations(group: ChannelGroup, first: Gradients, second: Gradients) -> Tensor:
    total = torch.zeros(group.channels, dtype=torch.float64)
    for slot in group.slots:
        if slot.side == "out" and slot.path in first and slot.path in second:
            product = first[slot.path] * second[slot.path]
            channels = 1 if product.ndim == 4 else product.ndim - 1
            sums = product.transpose(0, channels).flatten(1).sum(1).double().cpu()
            total.index_add_(0, slot.root, sums[slot.index])
    return total


def _average(pairs: Tensor) -> Tensor:
    return pairs.sum(0) / max(1, len(pairs))


def _largest(pairs: Tensor) -> Tensor:
    return pairs.amax(0) if len(pairs) else _average(pairs)
