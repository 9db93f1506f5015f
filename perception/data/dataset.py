"""A labelled split, read frame by frame; see :mod:`perception.data.layouts` for what may lie on disk."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from perception.data.folders import find_images, image_files
from perception.data.images import read_image
from perception.data.labels import LabelList, boxes_of, yolo_folder
from perception.data.layouts import LAYOUTS, PART_OF, Parts, find_layout
from perception.errors import InputError
from perception.tasks import DETECTION, DRIVABLE, LANE, TASKS, Sample

# What to do about frames that cannot be used.
OnBad = Literal["stop", "skip"]
ON_BAD: tuple[OnBad, ...] = get_args(OnBad)


@dataclass(frozen=True)
class Dataset:
    """The labelled frames of one split, a sequence of :class:`~perception.tasks.Sample` in order of name.

    Only names are in memory; a frame is read when it is asked for. Can be pickled, so worker processes can share it.
    Reading a broken frame raises :class:`InputError` with the name of the file.

    Attributes:
        root: the folder the layout's paths start from.
        split: such as ``val``.
        layout: ``yolop``, ``rmt-ppad`` or ``bdd100k``; ``pictures`` where there is nothing else.
        names: stems of the frames, sorted.
        tasks: those that are labelled, in the order of :data:`perception.tasks.TASKS`.
        left_out: why pictures are no frames, one line each; of ``on_bad="skip"``.
    """

    root: Path
    split: str
    layout: str
    names: tuple[str, ...] = field(repr=False)
    tasks: tuple[str, ...]
    left_out: tuple[str, ...] = field(repr=False)
    _files: tuple[str, ...] = field(repr=False)
    _parts: Parts = field(repr=False)
    _vehicles: frozenset[str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        name = self.names[index]
        image = read_image(self._parts.images / self._files[index])
        size = image.shape[:2]
        labels = self._parts.labels.read(name, size) if DETECTION in self.tasks else []
        boxes = boxes_of(labels, self._vehicles, size)
        return Sample(name, image, boxes, self._mask(DRIVABLE, name, size), self._mask(LANE, name, size), self.tasks)

    def _mask(self, task: str, name: str, size: tuple[int, int]) -> np.ndarray:
        if task not in self.tasks:
            return np.zeros(size, np.uint8)
        masks = self._parts.masks[task]
        mask = masks.read(name)
        if mask.shape != size:
            (height, width), (high, wide) = mask.shape, size
            raise InputError(f"{masks.where(name)}: is {width}x{height} (WxH), its picture {wide}x{high}")
        return mask


def open_dataset(root: Path, split: str = "val", tasks: Iterable[str] = (), on_bad: OnBad = "stop") -> Dataset:
    """Open one split of the data set in ``root``, whichever of the three layouts it has.

    A task whose folder is absent is not labelled. Of those that are, every picture must have its label file and its
    masks: whether they are there is looked up now, what is in them later. Pictures that BDD100K's own list of labels
    leaves out, as the release does with some, are no frames.

    Args:
        root: folder of the data set.
        split: such as ``val``.
        tasks: that must be labelled.
        on_bad: what to do about pictures that share a name, lack a label or mask, and about masks without picture.

    Raises:
        InputError: no data set, half a data set, no such split, no pictures, no labels for one of ``tasks``, or what
            ``on_bad`` is about.
    """
    root, layout = find_layout(root)
    splits = layout.splits(root)
    if split not in splits:
        raise InputError(f"{root}: no split {split!r}, there are: {', '.join(splits)}")
    there = splits[split]
    labelled = tuple(task for task in TASKS if PART_OF[task] in there)
    if "images" not in there or not labelled or not set(tasks) <= set(labelled):
        missing = layout.missing(there, split)
        raise InputError(f"{root}: half a data set of the {layout.name} layout, missing: {missing}")
    parts = layout.parts(root, split)
    pictures, doubles = _pictures(parts.images, on_bad)
    files = pictures
    if DETECTION in labelled and isinstance(parts.labels, LabelList):
        listed = parts.labels.names()
        files = {name: file for name, file in files.items() if name in listed}
    if not files:
        raise InputError(f"{parts.images}: no labelled pictures in this folder")
    files, lacking = _complete(parts, labelled, files, pictures, on_bad)
    file_names = tuple(file.name for file in files.values())
    return Dataset(
        root, split, layout.name, tuple(files), labelled, (*doubles, *lacking), file_names, parts, layout.vehicles
    )


def open_pictures(root: Path, split: str, on_bad: OnBad = "stop") -> Dataset:
    """Open the pictures of one split, whatever labels there are; no task of theirs is labelled.

    Args:
        root: folder of a data set of any layout, or of pictures, not in subfolders, all of which are then the split.
        split: such as ``train``.
        on_bad: what to do about pictures that share a name.

    Raises:
        InputError: no pictures, or what ``on_bad`` is about.
    """
    root = Path(root)
    known = [(layout.name, layout.parts(base, split)) for base in (root, root / "bdd100k") for layout in LAYOUTS]
    for layout, parts in [*known, ("pictures", Parts(root, yolo_folder(root), {}))]:
        files, doubles = _pictures(parts.images, on_bad)
        if files:
            names = tuple(file.name for file in files.values())
            return Dataset(root, split, layout, tuple(files), (), tuple(doubles), names, parts, frozenset())
    places = ", ".join(layout.images for layout in LAYOUTS).format(split=split)
    raise InputError(f"{root}: no pictures in it, nor in {places}")


def _pictures(folder: Path, on_bad: OnBad) -> tuple[dict[str, Path], list[str]]:
    """Pictures by stem, and a line for each that is left out because it shares its stem with another."""
    if on_bad == "stop":
        return image_files(folder), []
    files, doubles = find_images(folder)
    shared = {file.stem for file in doubles}
    lines = [f"{file}: shares its name with {files[file.stem].name}" for file in doubles]
    return {stem: file for stem, file in files.items() if stem not in shared}, lines


def _complete(
    parts: Parts, labelled: tuple[str, ...], files: dict[str, Path], pictures: dict[str, Path], on_bad: OnBad
) -> tuple[dict[str, Path], list[str]]:
    """Those of ``files`` that have all their labels and masks, and a line for each that is left out."""
    left_out = []
    for task in labelled:
        part = parts.labels if task == DETECTION else parts.masks[task]
        names = part.names()
        lacking = sorted(files.keys() - names)
        # Labels without their picture are common, as BDD100K has them; a mask without one tells of a wrong folder.
        stray = sorted(names - pictures.keys()) if task != DETECTION else []
        if on_bad == "stop" and lacking:
            count = f"{len(lacking)} of {len(files)} pictures lack theirs"
            raise InputError(f"{part.where(lacking[0])}: missing ({count})")
        if on_bad == "stop" and stray:
            raise InputError(f"{part.where(stray[0])}: a mask without its picture ({len(stray)} in this folder)")
        left_out += [f"{part.where(name)}: missing" for name in lacking]
        files = {name: files[name] for name in files.keys() - set(lacking)}
    return dict(sorted(files.items())), left_out
