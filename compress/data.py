"""Labelled frames as batches of tensors: several data sets mixed, prepared at input size, augmented, shuffled."""

import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compress.augment import Augmentation, Frame, augment
from compress.order import Shuffled, endless
from compress.processes import Share, collected, share
from perception.command import say
from perception.data import OnBad, open_dataset, open_pictures
from perception.errors import InputError, require
from perception.geometry import fit
from perception.networks.base import Targets
from perception.progress import track
from perception.spec import InputSpec
from perception.tasks import TASKS

Batch = tuple[Tensor, Targets]


@dataclass(frozen=True)
class Source:
    """A data set and how often each of its frames is seen in an epoch.

    Where it is not ``labelled``, pictures are all that is read, of a data set or of any folder.
    """

    root: Path
    repeats: int = 1
    labelled: bool = True

    def __str__(self) -> str:
        """What a checkpoint's history says of it."""
        return f"{self.root.name}:{self.repeats}{'' if self.labelled else ' unlabelled'}"

    @classmethod
    def parse(cls, text: str, labelled: bool = True) -> "Source":
        """``DIR`` or ``DIR:N``."""
        root, colon, repeats = text.rpartition(":")
        if colon and repeats.isdigit() and not Path(text).exists():
            if int(repeats) < 1:
                raise InputError(f"{text}: frames must be repeated at least once")
            return cls(Path(root), int(repeats), labelled)
        return cls(Path(text), labelled=labelled)


class Frames(Dataset):
    """Samples of one split of several data sets at network-input size.

    Items are addressed by ``(seed, index)``; the seed decides the augmentation, so an epoch can be replayed.

    Args:
        sources: the data sets.
        split: such as ``train``.
        spec: of the network.
        augmentation: none when absent.
        cache: read every frame once and keep it as bytes at input size (5 bytes a pixel).
        partial: whether a data set may lack labels for some of the network's tasks.
        on_bad: ``skip`` puts the next frame of the same data set in the place of one that cannot be read.

    Raises:
        InputError: a data set cannot be used.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        split: str,
        spec: InputSpec,
        augmentation: Augmentation | None = None,
        cache: bool = False,
        partial: bool = False,
        on_bad: OnBad = "stop",
    ):
        needed = () if partial else spec.tasks
        self._sets = [
            open_dataset(source.root, split, needed, on_bad)
            if source.labelled
            else open_pictures(source.root, split, on_bad)
            for source in sources
        ]
        for source, data in zip(sources, self._sets, strict=True):
            if source.labelled:
                _tell_unlabelled(data.root, spec.tasks, data.tasks)
        # Rows of data set and frame, as bytes alone: objects would be copied into every process that looks at them.
        self._index = np.concatenate(
            [
                np.tile(np.stack((np.full(len(data), number), np.arange(len(data))), 1), (source.repeats, 1))
                for number, (source, data) in enumerate(zip(sources, self._sets, strict=True))
            ]
        )
        self._spec = spec
        self._augmentation = augmentation
        self._on_bad = on_bad
        # Shared with the processes that read, so that all know what one of them could not.
        self._unreadable = [torch.zeros(len(data), dtype=torch.bool).share_memory_() for data in self._sets]
        self._cache: dict[tuple[int, int], Frame] = {}
        if cache:
            keys = [(number, item) for number, data in enumerate(self._sets) for item in range(len(data))]
            self._cache = {key: self._read(key) for key in track(keys, len(keys), "reading frames")}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, address: tuple[int, int]) -> Frame:
        seed, index = address
        number, item = self._index[index].tolist()
        key = number, item
        frame = self._cache.get(key) or self._read(key)
        if self._augmentation is None:
            return frame
        return augment(frame, self._augmentation, np.random.default_rng((seed, index)))

    def __getitems__(self, addresses: Sequence[tuple[int, int]]) -> list[Frame] | InputError:
        """The frames of a batch, or what is wrong with one: an error raised in another process would arrive here with
        that process's traceback for a message."""
        try:
            return [self[address] for address in addresses]
        except InputError as error:
            return error

    @property
    def left_out(self) -> int:
        """Frames that could not be used so far; see ``on_bad``."""
        return sum(len(data.left_out) for data in self._sets) + sum(int(bad.sum()) for bad in self._unreadable)

    def exchange(self) -> None:
        """Tell all processes which frames could not be used; they call it together."""
        for found in collected([self._unreadable]):
            for known, new in zip(self._unreadable, found, strict=True):
                known |= new

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that any of the data sets is labelled for."""
        return tuple(task for task in TASKS if any(task in data.tasks for data in self._sets))

    @property
    def groups(self) -> list[np.ndarray]:
        """Indices of the frames, those that are labelled for the same tasks together."""
        tasks = [data.tasks for data in self._sets]
        kinds = np.array([tasks.index(each) for each in tasks])[self._index[:, 0]]
        return [np.flatnonzero(kinds == tasks.index(kind)) for kind in dict.fromkeys(tasks)]

    def _read(self, key: tuple[int, int]) -> Frame:
        number, first = key
        data, unreadable = self._sets[number], self._unreadable[number]
        for item in itertools.chain(range(first, len(data)), range(first)):
            if unreadable[item]:
                continue
            try:
                sample = data[item]
                break
            except InputError as error:
                if self._on_bad == "stop":
                    raise
                unreadable[item] = True
                say(f"skipped: {error}")
        else:
            raise InputError(f"{data.root}: none of its {len(data)} frames can be read")
        placed = fit(sample.image.shape[:2], self._spec.size, self._spec.resize)
        return Frame(
            placed.image(sample.image),
            placed.boxes(sample.boxes),
            placed.mask(sample.drivable),
            placed.mask(sample.lane),
            sample.tasks,
            f"{data.root.name}/{sample.name}",
        )


class Loader(DataLoader):
    """Batches in the order of a :class:`Shuffled`; ``order`` is it."""

    def __init__(self, frames: Frames, order: Shuffled, workers: int):
        super().__init__(
            frames,
            batch_sampler=order,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=_ignore_interrupt,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        self.order = order

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Raises InputError where a frame cannot be used, or a process that reads was killed."""
        try:
            # A new epoch asks the same processes; one may have been killed since the last.
            batches = super().__iter__()
            if self.num_workers:
                # torch's handler would raise wherever the program is just then, within a lock even, which hangs it for
                # good. A dead reader is noticed while waiting for its batch too.
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for batch in batches:
                if isinstance(batch, InputError):
                    raise batch
                yield batch
        # The last two where it was killed while it handed over a batch.
        except (RuntimeError, ConnectionError, EOFError) as error:
            if isinstance(error, RuntimeError) and not str(error).startswith("DataLoader worker"):
                raise
            raise InputError(
                "a process that reads frames was killed, perhaps for want of memory; "
                "lower --workers and repeat with --resume"
            ) from None


def loader(frames: Frames, batch: int, seed: int, workers: int = 0) -> Loader:
    """Shuffled batches, of which each process reads an equal part; set ``loader.order.epoch`` before each epoch.

    Raises:
        InputError: a process would see one frame of a batch, from which batch norms cannot learn, or not as many as
            the others.
    """
    return Loader(frames, _order(frames.groups, batch, seed, share()), workers)


class Stream:
    """Batches without end, dealt out to the processes in turn.

    Frames that are labelled for the same tasks make a group; groups take turns, so that few batches show every task.

    Raises:
        InputError: a batch would hold one frame.
    """

    def __init__(self, frames: Frames, batch: int, seed: int):
        self._frames = frames
        orders = [_order([group], batch, seed, Share()) for group in frames.groups]
        self._addresses = itertools.chain.from_iterable(zip(*map(endless, orders), strict=True))

    def take(self, count: int) -> Iterator[Batch]:
        """This process's part of the next ``count``, read as they are asked for."""
        for addresses in share().dealt(itertools.islice(self._addresses, count)):
            yield collate([self._frames[address] for address in addresses])


def collate(frames: Sequence[Frame]) -> Batch:
    """Frames to images uint8 ``[N, H, W, 3]`` and :class:`Targets`."""
    boxes = [
        np.concatenate((np.full((len(frame.boxes), 1), number, np.float32), frame.boxes), 1)
        for number, frame in enumerate(frames)
    ]
    images, drivable, lane = (
        torch.from_numpy(np.stack([getattr(frame, part) for frame in frames])) for part in ("image", "drivable", "lane")
    )
    names = tuple(frame.name for frame in frames)
    return images, Targets(torch.from_numpy(np.concatenate(boxes)), drivable, lane, frames[0].tasks, names)


def labelled(losses: dict[str, Tensor], targets: Targets) -> dict[str, Tensor]:
    """Those of a network's ``losses`` whose tasks the batch is labelled for."""
    return {name: value for name, value in losses.items() if name not in TASKS or name in targets.tasks}


def _order(groups: Sequence[np.ndarray], batch: int, seed: int, part: Share) -> Shuffled:
    require(batch % part.count == 0, "batch", batch, f"must be a multiple of {part.count}, the processes that share it")
    smallest = min(batch, *map(len, groups)) // part.count
    require(
        smallest > 1, "batch", smallest, "batch norms need 2 images or more; raise --batch, or repeat a DIR as DIR:2"
    )
    return Shuffled(groups, batch, seed, part)


def _collate(frames: list[Frame] | InputError) -> Batch | InputError:
    return frames if isinstance(frames, InputError) else collate(frames)


def _tell_unlabelled(root: Path, wanted: tuple[str, ...], there: tuple[str, ...]) -> None:
    if not set(wanted) & set(there):
        raise InputError(f"{root}: labelled for {', '.join(there)}, the network learns {', '.join(wanted)}")
    if missing := [task for task in wanted if task not in there]:
        say(f"{root}: has no labels for {', '.join(missing)}; its frames teach {', '.join(there)} only")


def _ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; the one that trains decides when its readers end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
