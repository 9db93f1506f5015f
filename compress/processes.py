"""Processes that work as one: ``torchrun --nproc-per-node=2 -m panoedge train ...`` (docs/scale.md).

The engine is PyTorch's own. A process that torchrun did not start is the only one, and every function here gives back
what it was given, bit by bit. The others must call them together: each waits until all have.
"""

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from perception.errors import InputError

Item = TypeVar("Item")

# While the first process validates, the others wait in their next step.
_PATIENCE = timedelta(hours=2)
_FAILED = "panoedge/failed"


@dataclass(frozen=True)
class Share:
    """What one process does of the work of all: it is number ``rank`` of ``count``."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks, validates and writes files."""
        return self.rank == 0

    def of(self, items: np.ndarray) -> np.ndarray:
        """Its part of ``items``. All parts are of one size; what is left over is nobody's."""
        return items[: len(items) // self.count * self.count][self.rank :: self.count]

    def dealt(self, items: Iterator[Item]) -> Iterator[Item]:
        """Those of ``items`` that fall to it when they are dealt out in turn."""
        return itertools.islice(items, self.rank, None, self.count)


def share() -> Share:
    """What this process does; all of it where it is alone."""
    if distributed.is_available() and distributed.is_initialized():
        return Share(distributed.get_rank(), distributed.get_world_size())
    return Share()


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within the block the processes that torchrun started are one; the first of them alone is heard.

    When one fails, it says why, whichever it is, and all others end without a word.

    Raises:
        InputError: another process vanished.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched() and _launched() > 1):
        yield
        return
    store, rank, count = next(distributed.rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
    try:
        with contextlib.nullcontext() if rank == 0 else _silent():
            yield
    except BaseException as error:
        if store.add(_FAILED, 1) > 1:
            # For good, so that what is still to come, an error's last line above all, is not heard either.
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
        elif _is_loss_of_contact(error):
            raise InputError("lost contact with another process; it was killed, or its host is gone") from None
        raise
    distributed.destroy_process_group()


def own_gpu() -> int:
    """Number of the GPU that this process of several uses, one each.

    Raises:
        InputError: the host has fewer GPUs than processes.
    """
    number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= there:
        raise InputError(f"device cuda: {there} GPUs for {number + 1} processes or more; lower --nproc-per-node")
    return number


def collected(own: Sequence[Item]) -> list[Item]:
    """The items of all processes in the order they were :meth:`~Share.dealt` in, the same list in each."""
    count = share().count
    if count == 1:
        return list(own)
    parts: list[Sequence[Item]] = [()] * count
    distributed.all_gather_object(parts, own)
    missing: Any = object()
    turns = itertools.zip_longest(*parts, fillvalue=missing)
    return [item for turn in turns for item in turn if item is not missing]


def by_first(write: Callable[[], Any]) -> None:
    """Let the first process write; afterwards all can read it."""
    if share().first:
        write()
    collected([])


def any_of(flag: bool) -> bool:
    """Whether it is set in any process."""
    found = torch.tensor(float(flag))
    if share().count > 1:
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return bool(found)


def summed(values: Tensor) -> Tensor:
    """The sum over all processes of a tensor that takes no gradient; not finite where any of them is not."""
    if share().count > 1:
        values = values.clone()
        distributed.all_reduce(values)
    return values


def averaging(trained: nn.Module, loss: Callable[..., dict[str, Tensor]]) -> Callable[..., dict[str, Tensor]]:
    """``loss``, whose backward pass leaves in every process the mean of all processes' gradients.

    Args:
        trained: holds all parameters that learn; all processes get those of the first, and before each call its
            buffers, the statistics of batch norms.
        loss: runs them; what it takes lies on their device.
    """
    if share().count == 1:
        return loss
    # Not every batch reaches every head: a data set may lack labels for a task.
    return DistributedDataParallel(_Called(trained, loss), find_unused_parameters=True)


class _Called(nn.Module):
    """A loss as the forward pass of what it trains."""

    def __init__(self, trained: nn.Module, loss: Callable[..., dict[str, Tensor]]):
        super().__init__()
        self.trained = trained
        self._loss = loss
        # Left out of every batch: where none is, the engine warns that it looks for them in vain.
        self.unused = nn.Parameter(next(trained.parameters()).new_zeros(1))

    def forward(self, *arguments: Any) -> dict[str, Tensor]:
        return self._loss(*arguments)


def _launched() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _is_loss_of_contact(error: BaseException) -> bool:
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))
