"""Look at every file of a data set and list what is wrong with it, without stopping at the first fault."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception.data.folders import find_images
from perception.data.images import is_turned, read_image, read_mask
from perception.data.labels import Label, Labels, boxes_of
from perception.data.layouts import Layout, Masks, Parts, find_layout
from perception.errors import InputError
from perception.progress import track
from perception.tasks import MASK_TASKS

KINDS = (
    "pictures of one name",
    "picture without label",
    "picture without mask",
    "label without picture",
    "mask without picture",
    "unreadable picture",
    "turned picture",
    "unreadable label",
    "unreadable mask",
    "unknown category",
    "empty box",
    "box outside the picture",
    "mask of another size",
    "unexpected mask value",
)
# Labelling tools round to whole pixels.
_SLACK = 1.0


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: of which of ``KINDS``, with which file, and what exactly."""

    kind: str
    file: Path
    detail: str


@dataclass(frozen=True)
class SplitSummary:
    """What one split holds.

    Attributes:
        split: its name.
        labelled: False where there are pictures only, as in a test split; this is no fault.
        frames: number of pictures.
        boxes: number of vehicles.
        shares: by mask task, the mean share of foreground pixels in [0, 1]; None where no mask could be read.
        sizes: number of pictures by size, written ``WIDTHxHEIGHT``, most frequent first.
    """

    split: str
    labelled: bool
    frames: int
    boxes: int
    shares: dict[str, float | None]
    sizes: dict[str, int]


@dataclass(frozen=True)
class CheckResult:
    """The faults of a data set, split by split in order of name, and what each split holds."""

    root: Path
    layout: str
    splits: tuple[SplitSummary, ...]
    faults: tuple[Fault, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of faults by kind, in the order of ``KINDS``, without the kinds that do not occur."""
        counter = Counter(fault.kind for fault in self.faults)
        return {kind: counter[kind] for kind in KINDS if counter[kind]}

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return {
            "root": str(self.root),
            "layout": self.layout,
            "splits": [asdict(summary) for summary in self.splits],
            "counts": self.counts,
            "faults": [{**asdict(fault), "file": str(fault.file)} for fault in self.faults],
        }


@dataclass
class _Frame:
    """What was found out about one frame."""

    faults: list[Fault] = field(default_factory=list)
    size: tuple[int, int] | None = None
    boxes: int = 0
    shares: dict[str, float] = field(default_factory=dict)


def check(root: Path) -> CheckResult:
    """Read the whole data set in ``root``, frame by frame, and list its faults.

    Progress is shown on standard error. Raises :class:`InputError` where ``root`` holds no data set.
    """
    root, layout = find_layout(root)
    summaries: list[SplitSummary] = []
    faults: list[Fault] = []
    for split, there in layout.splits(root).items():
        summary, found = _check_split(layout, layout.parts(root, split), split, labelled=there != {"images"})
        summaries.append(summary)
        faults += found
    return CheckResult(root, layout.name, tuple(summaries), tuple(faults))


def _check_split(layout: Layout, parts: Parts, split: str, labelled: bool) -> tuple[SplitSummary, list[Fault]]:
    pictures, doubles = find_images(parts.images)
    present, faults = _pair(parts, pictures) if labelled else ({}, [])
    faults += [
        Fault("pictures of one name", file, f"whose labels are they, {pictures[file.stem].name}?") for file in doubles
    ]
    sizes: Counter[str] = Counter()
    shares: dict[str, list[float]] = {task: [] for task in MASK_TASKS}
    boxes = 0
    # Decoding, most of the work, runs outside Python's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        frames = pool.map(lambda name: _check_frame(layout, parts, present, name, pictures[name]), pictures)
        for frame in track(frames, len(pictures), f"checking {split}"):
            faults += frame.faults
            boxes += frame.boxes
            sizes.update([_size_text(frame.size)] if frame.size else [])
            for task, share in frame.shares.items():
                shares[task].append(share)
    means = {task: float(np.mean(values)) if values else None for task, values in shares.items()}
    return SplitSummary(split, labelled, len(pictures), boxes, means, dict(sizes.most_common())), faults


def _pair(parts: Parts, pictures: dict[str, Path]) -> tuple[dict[str, set[str]], list[Fault]]:
    """By part (``labels`` or a mask task) the pictures that have it, and a fault for whatever is alone."""
    present: dict[str, set[str]] = {}
    faults: list[Fault] = []
    for part, files in {"labels": parts.labels, **parts.masks}.items():
        what = "label" if part == "labels" else "mask"
        names: set[str] = set()
        with _noting(faults, f"unreadable {what}", files.path):
            names = files.names()
            for name in sorted(pictures.keys() - names):
                faults.append(Fault(f"picture without {what}", pictures[name], f"no {files.where(name)}"))
            for name in sorted(names - pictures.keys()):
                faults.append(Fault(f"{what} without picture", files.where(name), f"no such picture in {parts.images}"))
        present[part] = names
    return present, faults


def _check_frame(layout: Layout, parts: Parts, present: dict[str, set[str]], name: str, picture: Path) -> _Frame:
    frame = _Frame()
    with _noting(frame.faults, "unreadable picture", picture):
        frame.size = read_image(picture).shape[:2]
        if is_turned(picture):
            detail = "by its EXIF tag; labels must fit the turned picture, save it without the tag to be sure"
            frame.faults.append(Fault("turned picture", picture, detail))
    # Where there are two files of a name, nobody can say which it is: a fault of their folder.
    if name in present.get("labels", ()):
        with _noting(frame.faults, "unreadable label", parts.labels.path):
            _check_labels(frame, layout, parts.labels, parts.labels.where(name), name)
    for task, masks in parts.masks.items():
        if name in present.get(task, ()):
            with _noting(frame.faults, "unreadable mask", masks.path):
                _check_mask(frame, task, masks, masks.where(name))
    return frame


def _check_labels(frame: _Frame, layout: Layout, labels: Labels, file: Path, name: str) -> None:
    with _noting(frame.faults, "unreadable label", file):
        # Without the picture's size, boxes in fractions of it can only be parsed.
        found = labels.read(name, frame.size or (1, 1))
        frame.faults += _label_faults(file, found, layout.categories, frame.size)
        frame.boxes = len(boxes_of(found, layout.vehicles, frame.size)) if frame.size else 0


def _label_faults(
    file: Path, labels: list[Label], categories: frozenset[str], size: tuple[int, int] | None
) -> Iterator[Fault]:
    for category in sorted({label.category for label in labels} - categories):
        yield Fault("unknown category", file, repr(category))
    if size is None:
        return
    height, width = size
    for category, (x1, y1, x2, y2) in labels:
        detail = f"{category} from {x1:.1f}, {y1:.1f} to {x2:.1f}, {y2:.1f} in {_size_text(size)}"
        if x2 <= x1 or y2 <= y1:
            yield Fault("empty box", file, detail)
        elif min(x1, y1) < -_SLACK or x2 > width + _SLACK or y2 > height + _SLACK:
            yield Fault("box outside the picture", file, detail)


def _check_mask(frame: _Frame, task: str, masks: Masks, file: Path) -> None:
    with _noting(frame.faults, "unreadable mask", file):
        mask = read_mask(file)
        histogram = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()
        unexpected = np.flatnonzero((histogram > 0) & ~masks.code.expected)
        if len(unexpected):
            frame.faults.append(Fault("unexpected mask value", file, ", ".join(map(str, unexpected))))
        if frame.size and mask.shape != frame.size:
            detail = f"{_size_text(mask.shape)}, its picture {_size_text(frame.size)}"
            frame.faults.append(Fault("mask of another size", file, detail))
        frame.shares[task] = float(histogram @ masks.code.foreground) / mask.size


@contextmanager
def _noting(faults: list[Fault], kind: str, file: Path) -> Iterator[None]:
    """Turn an :class:`InputError` about ``file`` into a fault."""
    try:
        yield
    except InputError as error:
        faults.append(Fault(kind, file, str(error).removeprefix(f"{file}: ")))


def _size_text(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
