"""A labelled split, read frame by frame; see :mod:`perception.data.layouts` for what may lie on disk."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from perception.data.folders import image_files
from perception.data.images import read_image
from perception.data.labels import LabelList, boxes_of
from perception.data.layouts import Parts, find_layout
from perception.errors import InputError
from perception.tasks import DRIVABLE, LANE, Sample


@dataclass(frozen=True)
class Dataset:
    """The labelled frames of one split, a sequence of :class:`~perception.tasks.Sample` in order of name.

    Only names are in memory; a frame is read when it is asked for. Can be pickled, so worker processes can share it.
    Reading a broken frame raises :class:`InputError` with the name of the file.

    Attributes:
        root: the folder the layout's paths start from.
        split: such as ``val``.
        layout: ``yolop``, ``rmt-ppad`` or ``bdd100k``.
        names: stems of the frames, sorted.
    """

    root: Path
    split: str
    layout: str
    names: tuple[str, ...] = field(repr=False)
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
        boxes = boxes_of(self._parts.labels.read(name, size), self._vehicles, size)
        return Sample(name, image, boxes, self._mask(DRIVABLE, name, size), self._mask(LANE, name, size))

    def _mask(self, task: str, name: str, size: tuple[int, int]) -> np.ndarray:
        masks = self._parts.masks[task]
        mask = masks.read(name)
        if mask.shape != size:
            (height, width), (high, wide) = mask.shape, size
            raise InputError(f"{masks.where(name)}: is {width}x{height} (WxH), its picture {wide}x{high}")
        return mask


def open_dataset(root: Path, split: str = "val") -> Dataset:
    """Open one split of the data set in ``root``, whichever of the three layouts it has.

    Every picture must have its label file and both masks: whether they are there is looked up now, what is in them
    later. Pictures that BDD100K's own list of labels leaves out, as the release does with some, are no frames.

    Raises:
        InputError: no data set, half a data set, no such split, no pictures, pictures without label or mask, or
            masks without picture.
    """
    root, layout = find_layout(root)
    splits = layout.splits(root)
    if split not in splits:
        raise InputError(f"{root}: no split {split!r}, there are: {', '.join(splits)}")
    if missing := layout.missing(splits[split], split):
        raise InputError(f"{root}: half a data set of the {layout.name} layout, missing: {missing}")
    parts = layout.parts(root, split)
    pictures = image_files(parts.images)
    files = pictures
    if isinstance(parts.labels, LabelList):
        listed = parts.labels.names()
        files = {name: file for name, file in files.items() if name in listed}
    if not files:
        raise InputError(f"{parts.images}: no labelled pictures in this folder")
    for part in (parts.labels, *parts.masks.values()):
        if lacking := sorted(files.keys() - part.names()):
            raise InputError(f"{part.where(lacking[0])}: missing ({len(lacking)} of {len(files)} pictures lack theirs)")
    for mask in parts.masks.values():
        if stray := sorted(mask.names() - pictures.keys()):
            raise InputError(f"{mask.where(stray[0])}: a mask without its picture ({len(stray)} in this folder)")
    file_names = tuple(file.name for file in files.values())
    return Dataset(root, split, layout.name, tuple(files), file_names, parts, layout.vehicles)
