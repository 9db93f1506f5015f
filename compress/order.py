"""In which order frames are read: shuffled anew each epoch, by the seed and the epoch's number alone."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from compress.processes import Share


class Shuffled(Sampler):
    """Addresses of one epoch, batch by batch, in an order that depends on seed and epoch alone.

    A batch holds frames of one group. The last, incomplete batch of a group is left out unless it is its only one.

    Args:
        groups: indices of frames.
        batch: frames a batch, of all processes together.
        seed: of the order and the augmentation.
        part: of each batch, that this process reads.

    Attributes:
        epoch: the one that comes next.
        start: number of its first batches that are passed over.
    """

    def __init__(self, groups: Sequence[np.ndarray], batch: int, seed: int, part: Share = Share()):  # noqa: B008
        self._groups = groups
        self._batch = batch
        self._seed = seed
        self._part = part
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        return sum(max(1, len(group) // self._batch) for group in self._groups)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        seed, batches = self._draw()
        return ([(seed, int(index)) for index in self._part.of(batch)] for batch in batches[self.start :])

    def _draw(self) -> tuple[int, list[np.ndarray]]:
        rng = np.random.default_rng((self._seed, self.epoch))
        seed = int(rng.integers(1 << 62))
        batches = []
        for group in self._groups:
            order = rng.permutation(group)
            whole = max(self._batch, len(order) // self._batch * self._batch)
            batches += [order[start : start + self._batch] for start in range(0, min(whole, len(order)), self._batch)]
        if len(self._groups) > 1:
            batches = [batches[number] for number in rng.permutation(len(batches))]
        return seed, batches


def endless(order: Shuffled) -> Iterator[list[tuple[int, int]]]:
    """Batches of epoch after epoch."""
    for order.epoch in itertools.count():
        yield from order
