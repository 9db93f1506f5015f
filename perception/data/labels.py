"""Box labels: BDD100K's JSON, one file a frame or one list a split, and YOLO's text files."""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from perception.data.folders import file_of, stems
from perception.errors import MALFORMED, InputError
from perception.files import patiently, read_bytes, read_json

# BDD100K's ten, three of them also by the names they had before 2020, and those its detection task does not count.
BDD_CATEGORIES = frozenset(
    {"car", "bus", "truck", "train", "person", "pedestrian", "rider", "bike", "bicycle", "motor", "motorcycle"}
    | {"traffic light", "traffic sign", "other person", "other vehicle", "trailer"}
)


class Label(NamedTuple):
    """One box: its category as written in the file, and x1, y1, x2, y2 in native pixels, as found."""

    category: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class LabelFolder:
    """One label file a frame.

    Attributes:
        path: the folder.
        suffix: of the files.
        read_file: from path and picture size ``(height, width)`` to labels.
    """

    path: Path
    suffix: str
    read_file: Callable[[Path, tuple[int, int]], list[Label]]

    def names(self) -> set[str]:
        """Stems of the frames that have labels."""
        return stems(self.path, self.suffix)

    def where(self, name: str) -> Path:
        """The file with the labels of one frame."""
        return file_of(self.path, name, self.suffix)

    def read(self, name: str, size: tuple[int, int]) -> list[Label]:
        """Labels of one frame; raises :class:`InputError` where they are missing or malformed."""
        return self.read_file(self.where(name), size)


@dataclass(frozen=True)
class LabelList:
    """BDD100K's JSON list of the frames of a split, ``{"name": "x.jpg", "labels": [{"category", "box2d"}]}`` each.

    Only an index is kept in memory: of each frame the place of its entry in the file. While it is made, once, the
    text is in memory, and the objects of one entry at a time. A frame that is listed twice cannot be read.
    """

    path: Path

    def names(self) -> set[str]:
        """Stems of the frames listed; raises :class:`InputError` where the file is missing or malformed."""
        return set(self._index)

    def where(self, name: str) -> Path:
        """The entry of one frame, for messages."""
        return Path(f"{self.path}[{name}]")

    def read(self, name: str, size: tuple[int, int]) -> list[Label]:
        """Labels of one frame; raises :class:`InputError` where they are missing or malformed."""
        places = self._index[name]
        if len(places) > 1:
            raise InputError(f"{self.where(name)}: is listed {len(places)} times, which entry counts? keep one")
        entry = patiently(self.path, partial(self._cut, *places[0]))
        try:
            return _labels(json.loads(entry.decode("utf-8")).get("labels"))
        except MALFORMED:
            raise InputError(f"{self.where(name)}: not in BDD100K's form (labels[].box2d)") from None

    def _cut(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    @cached_property
    def _index(self) -> dict[str, list[tuple[int, int]]]:
        """By frame, the first byte of its entry and the one after its last; one place for each time it is listed."""
        index: dict[str, list[tuple[int, int]]] = {}
        decode, next_entry = json.JSONDecoder().raw_decode, re.compile(r"[^\s,]")
        # Latin-1 has one character a byte, so that positions in the text are positions in the file.
        text = read_bytes(self.path).decode("latin-1")
        try:
            end = text.index("[") + 1
            while (found := next_entry.search(text, end)) and found[0] != "]":
                entry, end = decode(text, found.start())
                index.setdefault(Path(entry["name"]).stem, []).append((found.start(), end))
        except MALFORMED:
            raise InputError(f"{self.path}: not a list of labelled frames in BDD100K's form") from None
        if not found:
            raise InputError(f"{self.path}: the list of frames has no end, copy the file again")
        return index


Labels = LabelFolder | LabelList


def bdd_folder(folder: Path) -> LabelFolder:
    """BDD100K's per-image JSON: ``frames[0].objects[]`` with ``category`` and ``box2d``."""
    return LabelFolder(folder, ".json", _read_bdd)


def yolo_folder(folder: Path) -> LabelFolder:
    """Text files with a line ``class cx cy w h`` a box, as fractions of the picture's sides."""
    return LabelFolder(folder, ".txt", _read_yolo)


def boxes_of(labels: Iterable[Label], categories: frozenset[str], size: tuple[int, int]) -> np.ndarray:
    """Boxes of ``categories`` as float32 ``[N, 4]``, clipped to the picture; those left without area are dropped."""
    boxes = np.array([label.box for label in labels if label.category in categories], np.float64).reshape(-1, 4)
    height, width = size
    # Clipped first: what a file says may be beyond all float32.
    boxes = np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


def _read_bdd(path: Path, size: tuple[int, int]) -> list[Label]:
    data = read_json(path)
    try:
        return _labels(data["frames"][0].get("objects"))
    except MALFORMED:
        raise InputError(f"{path}: not a label file in BDD100K's form (frames[0].objects[].box2d)") from None


def _labels(objects: list[dict[str, Any]] | None) -> list[Label]:
    """BDD100K's objects to labels. Areas and lanes are polygons, have no ``box2d`` and are left out."""
    return [
        Label(str(item["category"]), _box(*(item["box2d"][key] for key in ("x1", "y1", "x2", "y2"))))
        for item in objects or []
        if item.get("box2d")
    ]


def _read_yolo(path: Path, size: tuple[int, int]) -> list[Label]:
    height, width = size
    try:
        rows = [line.split() for line in read_bytes(path).decode("utf-8").splitlines() if line.strip()]
        labels = []
        for category, *values in rows:
            x, y, w, h = (float(value) for value in values)
            box = _box((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            labels.append(Label(category, box))
    except ValueError:
        raise InputError(f"{path}: not a YOLO label file (a line must be: class cx cy w h)") from None
    return labels


def _box(x1: Any, y1: Any, x2: Any, y2: Any) -> tuple[float, float, float, float]:
    box = (float(x1), float(y1), float(x2), float(y2))
    if not all(math.isfinite(value) for value in box):
        raise ValueError("box is not finite")
    return box
