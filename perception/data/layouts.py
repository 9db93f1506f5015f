"""The three layouts of a data set on disk, as one table, and finding out which a folder has.

Where each part lies and what its values mean is public knowledge of the three projects: YOLOP
(https://github.com/hustvl/YOLOP), RMT-PPAD (https://github.com/JiayuanWang-JW/RMT-PPAD) and BDD100K
(https://doc.bdd100k.com/format.html).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from perception.data.folders import entries, file_of, is_there, stems
from perception.data.images import read_mask
from perception.data.labels import BDD_CATEGORIES, LabelList, Labels, bdd_folder, yolo_folder
from perception.errors import InputError
from perception.tasks import DETECTION, DRIVABLE, LANE, VEHICLE_CATEGORIES

# The part of a data set that each task learns from.
PART_OF = {DETECTION: "labels", DRIVABLE: DRIVABLE, LANE: LANE}


@dataclass(frozen=True, eq=False)
class MaskCode:
    """What the values of a mask's pixels mean: two tables of 256 entries.

    Attributes:
        foreground: uint8, 1 where the value means foreground, else 0.
        expected: bool, whether the value may occur.
    """

    foreground: np.ndarray
    expected: np.ndarray


_VALUES = np.arange(256, dtype=np.uint8)
# Written as 0/1 or 0/255 by different tools.
_BINARY = MaskCode((_VALUES > 0).astype(np.uint8), np.isin(_VALUES, (0, 1, 255)))
# BDD100K: 0 direct, 1 alternative, 2 background. A car may drive on both of the first.
_BDD_DRIVABLE = MaskCode((_VALUES < 2).astype(np.uint8), _VALUES <= 2)
# BDD100K: bits 0-2 category, bit 3 background, bit 4 style, bit 5 direction; without background, bits 6-7 are unused.
_BDD_LANE = MaskCode((_VALUES & 8 == 0).astype(np.uint8), (_VALUES & 8 != 0) | (_VALUES < 64))


@dataclass(frozen=True)
class Masks:
    """The masks of one task in one split, a PNG a frame."""

    path: Path
    code: MaskCode

    def names(self) -> set[str]:
        """Stems of the frames that have a mask."""
        return stems(self.path, ".png")

    def where(self, name: str) -> Path:
        """The mask file of one frame."""
        return file_of(self.path, name, ".png")

    def read(self, name: str) -> np.ndarray:
        """One mask as uint8 ``[H, W]``, 0 or 1; raises :class:`InputError` where it is missing or broken."""
        return cv2.LUT(read_mask(self.where(name)), self.code.foreground)


@dataclass(frozen=True)
class Parts:
    """One split: the folder of its pictures, its labels, and its masks by task."""

    images: Path
    labels: Labels
    masks: dict[str, Masks]


@dataclass(frozen=True)
class Layout:
    """Where the parts of a data set lie, as paths below its root with ``{split}`` in their last component.

    Attributes:
        name: what the layout is called.
        images: the pictures.
        labels: alternatives for the boxes, best first, each with what reads it.
        masks: by task, the masks and what their values mean.
        vehicles: categories of boxes that are vehicles.
        categories: all categories of boxes that may occur.
    """

    name: str
    images: str
    labels: dict[str, Callable[[Path], Labels]]
    masks: dict[str, tuple[str, MaskCode]]
    vehicles: frozenset[str] = VEHICLE_CATEGORIES
    categories: frozenset[str] = BDD_CATEGORIES

    @property
    def patterns(self) -> dict[str, tuple[str, ...]]:
        """Where each part may lie: ``images``, ``labels``, ``drivable``, ``lane``, in this order."""
        masks = {task: (pattern,) for task, (pattern, _) in self.masks.items()}
        return {"images": (self.images,), "labels": tuple(self.labels), **masks}

    def splits(self, root: Path) -> dict[str, set[str]]:
        """By split, in order of name, which of its parts are there."""
        found: dict[str, set[str]] = {}
        for part, patterns in self.patterns.items():
            for split in (split for pattern in patterns for split in _splits_at(root, pattern)):
                found.setdefault(split, set()).add(part)
        return dict(sorted(found.items()))

    def missing(self, there: set[str], split: str = "<split>") -> str:
        """Where the parts that are not ``there`` were to lie, in words."""
        wanted = [" or ".join(patterns) for part, patterns in self.patterns.items() if part not in there]
        return ", ".join(wanted).format(split=split)

    def parts(self, root: Path, split: str) -> Parts:
        """One split, nothing of which is read yet; folders may be missing."""
        labels = [reader(root / pattern.format(split=split)) for pattern, reader in self.labels.items()]
        masks = {task: Masks(root / pattern.format(split=split), code) for task, (pattern, code) in self.masks.items()}
        chosen = next((one for one in labels if is_there(one.path)), labels[-1])
        return Parts(root / self.images.format(split=split), chosen, masks)


# The more particular come first: "images/{split}" also matches the folders of the others.
LAYOUTS = (
    Layout(
        name="bdd100k",
        images="images/100k/{split}",
        # The labels revised in 2020 go before those of 2018.
        labels={"labels/det_20/det_{split}.json": LabelList, "labels/100k/{split}": bdd_folder},
        masks={
            DRIVABLE: ("labels/drivable/masks/{split}", _BDD_DRIVABLE),
            LANE: ("labels/lane/masks/{split}", _BDD_LANE),
        },
    ),
    Layout(
        name="rmt-ppad",
        images="images/{split}2017",
        labels={"labels/{split}2017": yolo_folder},
        masks={DRIVABLE: ("mask/drivable/{split}2017", _BINARY), LANE: ("mask/lane/{split}2017", _BINARY)},
        vehicles=frozenset({"0"}),
        categories=frozenset({"0"}),
    ),
    Layout(
        name="yolop",
        images="images/{split}",
        labels={"det_annotations/{split}": bdd_folder},
        masks={DRIVABLE: ("da_seg_annotations/{split}", _BINARY), LANE: ("ll_seg_annotations/{split}", _BINARY)},
    ),
)


def find_layout(root: Path) -> tuple[Path, Layout]:
    """Find out the layout of the data set in ``root``.

    Returns:
        The folder the layout's paths start from, ``root`` or the ``bdd100k`` in it that BDD100K's archives bring
        along, and the layout.

    Raises:
        InputError: there is no such folder, or its layout is unknown, without pictures or without any label or mask.
    """
    root = Path(root)
    if not is_there(root):
        raise InputError(f"{root}: no such folder")
    candidates = [(base, layout) for base in (root, root / "bdd100k") for layout in LAYOUTS]
    base, layout = max(candidates, key=lambda candidate: len(_parts_there(*candidate)))
    there = _parts_there(base, layout)
    if not there:
        known = "; ".join(f"{layout.name}: {layout.missing(set())}" for layout in LAYOUTS)
        raise InputError(f"{root}: not a data set of a known layout ({known})")
    if "images" not in there or there == {"images"}:
        raise InputError(f"{base}: half a data set of the {layout.name} layout, missing: {layout.missing(there)}")
    return base, layout


def _parts_there(root: Path, layout: Layout) -> set[str]:
    return set().union(*layout.splits(root).values())


def _splits_at(root: Path, pattern: str) -> list[str]:
    """Splits for which there is a folder, or a file if the pattern has a suffix, at ``pattern``."""
    folder, last = pattern.rsplit("/", 1)
    before, after = last.split("{split}")
    wants_file = after.startswith(".")
    return [
        path.name[len(before) : len(path.name) - len(after)]
        for path, is_folder in entries(root / folder)
        if is_folder != wants_file and path.name.startswith(before) and path.name.endswith(after)
    ]
