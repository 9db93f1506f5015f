"""Labelled frames as batches of tensors: several data sets mixed, prepared at input size, augmented, shuffled."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from compress.augment import Augmentation, Frame, augment
from perception.data import open_dataset
from perception.errors import InputError
from perception.geometry import fit
from perception.networks.base import Targets
from perception.progress import track
from perception.spec import InputSpec

Batch = tuple[Tensor, Targets]


@dataclass(frozen=True)
class Source:
    """A data set and how often each of its frames is seen in an epoch."""

    root: Path
    repeats: int = 1

    @classmethod
    def parse(cls, text: str) -> "Source":
        """``DIR`` or ``DIR:N``."""
        root, colon, repeats = text.rpartition(":")
        if colon and repeats.isdigit() and not Path(text).exists():
            if int(repeats) < 1:
                raise InputError(f"{text}: frames must be repeated at least once")
            return cls(Path(root), int(repeats))
        return cls(Path(text))


class Frames(Dataset):
    """Samples of one split of several data sets at network-input size.

    Items are addressed by ``(seed, index)``; the seed decides the augmentation, so an epoch can be replayed. With
    ``cache`` every frame is read once and kept as bytes at input size (5 bytes a pixel).
    """

    def __init__(
        self,
        sources: Sequence[Source],
        split: str,
        spec: InputSpec,
        augmentation: Augmentation | None = None,
        cache: bool = False,
    ):
        self._sets = [open_dataset(source.root, split) for source in sources]
        self._index = [
            (number, item)
            for number, (source, data) in enumerate(zip(sources, self._sets, strict=True))
            for _ in range(source.repeats)
            for item in range(len(data))
        ]
        self._spec = spec
        self._augmentation = augmentation
        self._cache: dict[tuple[int, int], Frame] = {}
        if cache:
            keys = list(dict.fromkeys(self._index))
            self._cache = {key: self._read(key) for key in track(keys, len(keys), "reading frames")}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, address: tuple[int, int]) -> Frame:
        seed, index = address
        key = self._index[index]
        frame = self._cache.get(key) or self._read(key)
        if self._augmentation is None:
            return frame
        return augment(frame, self._augmentation, np.random.default_rng((seed, index)))

    def _read(self, key: tuple[int, int]) -> Frame:
        sample = self._sets[key[0]][key[1]]
        placed = fit(sample.image.shape[:2], self._spec.size, self._spec.resize)
        return Frame(
            placed.image(sample.image),
            placed.boxes(sample.boxes),
            placed.mask(sample.drivable),
            placed.mask(sample.lane),
        )


class Shuffled(Sampler):
    """Addresses of one epoch in an order that depends on seed and epoch alone."""

    def __init__(self, length: int, seed: int):
        self._length = length
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng((self._seed, self.epoch))
        seed = int(rng.integers(1 << 62))
        return iter([(seed, int(index)) for index in rng.permutation(self._length)])


def loader(frames: Frames, batch: int, seed: int, workers: int = 0) -> DataLoader:
    """Shuffled batches; set ``loader.sampler.epoch`` before each epoch. The last, incomplete batch is left out unless
    it is the only one."""
    return DataLoader(
        frames,
        batch_size=batch,
        sampler=Shuffled(len(frames), seed),
        num_workers=workers,
        collate_fn=collate,
        drop_last=len(frames) >= batch,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def endless(batches: DataLoader) -> Iterator[Batch]:
    """Batches of epoch after epoch."""
    for epoch in itertools.count():
        batches.sampler.epoch = epoch  # type: ignore[attr-defined]
        yield from batches


def collate(frames: Sequence[Frame]) -> Batch:
    """Frames to images uint8 ``[N, H, W, 3]`` and :class:`Targets`."""
    boxes = [
        np.concatenate((np.full((len(frame.boxes), 1), number, np.float32), frame.boxes), 1)
        for number, frame in enumerate(frames)
    ]
    images, drivable, lane = (
        torch.from_numpy(np.stack([getattr(frame, part) for frame in frames])) for part in ("image", "drivable", "lane")
    )
    return images, Targets(torch.from_numpy(np.concatenate(boxes)), drivable, lane)
