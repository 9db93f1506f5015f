"""The same two tiny frames, written in each of the layouts."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

HEIGHT, WIDTH = 48, 64
BOXES = {"car": (4.0, 8.0, 20.0, 24.0), "truck": (30.0, 4.0, 60.0, 40.0), "pedestrian": (22.0, 10.0, 26.0, 30.0)}
LAYOUTS = ("yolop", "rmt-ppad", "bdd100k", "bdd100k-2018")


@dataclass(frozen=True)
class Frame:
    """What a tiny frame shows: pixels, boxes by category, and a mask for each task."""

    name: str
    image: np.ndarray
    boxes: dict[str, tuple[float, float, float, float]]
    drivable: np.ndarray
    lane: np.ndarray


def frames() -> list[Frame]:
    """A reddish frame with three boxes, and a bluish one without any."""
    drivable = np.zeros((HEIGHT, WIDTH), np.uint8)
    drivable[30:, 10:50] = 1
    lane = np.zeros_like(drivable)
    lane[32:, 28:31] = 1
    red, blue = (np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in ((200, 40, 20), (20, 40, 200)))
    return [Frame("b-first", red, BOXES, drivable, lane), Frame("c-second", blue, {}, drivable[:, ::-1], lane[:, ::-1])]


def write_image(path: Path, image: np.ndarray) -> None:
    """Write RGB or grey pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def write_text(path: Path, text: str) -> None:
    """Write a text file, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def bdd_objects(boxes: dict[str, tuple[float, float, float, float]]) -> list[dict]:
    """Boxes as BDD100K's objects, with a polygon that a reader must pass over."""
    objects = [
        {"category": category, "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
        for category, box in boxes.items()
    ]
    return [*objects, {"category": "area/drivable", "poly2d": [[0, 0, "L"], [9, 0, "L"], [9, 9, "L"]]}]


def bdd_file(boxes: dict[str, tuple[float, float, float, float]]) -> str:
    """BDD100K's label file of one frame."""
    return json.dumps({"name": "x", "frames": [{"timestamp": 10000, "objects": bdd_objects(boxes)}]})


def yolo_file(boxes: dict[str, tuple[float, float, float, float]]) -> str:
    """YOLO's label file of one frame: vehicles only, class 0."""
    rows = [
        f"0 {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} {(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}\n"
        for category, (x1, y1, x2, y2) in boxes.items()
        if category != "pedestrian"
    ]
    return "".join(rows)


def bdd_drivable(mask: np.ndarray) -> np.ndarray:
    """0 direct (left), 1 alternative (right), 2 background."""
    kinds = np.where(np.arange(WIDTH) < WIDTH // 2, 0, 1)
    return np.where(mask, kinds, 2).astype(np.uint8)


def bdd_lane(mask: np.ndarray) -> np.ndarray:
    """A dashed single white line across the direction of travel (6 + 16 + 32), or background (255)."""
    return np.where(mask, 6 + 16 + 32, 255).astype(np.uint8)


def write_layout(root: Path, layout: str, split: str = "val") -> None:
    """Write one split of the tiny data set."""
    for frame in frames():
        if layout == "yolop":
            write_image(root / f"images/{split}/{frame.name}.jpg", frame.image)
            write_text(root / f"det_annotations/{split}/{frame.name}.json", bdd_file(frame.boxes))
            write_image(root / f"da_seg_annotations/{split}/{frame.name}.png", frame.drivable * 255)
            write_image(root / f"ll_seg_annotations/{split}/{frame.name}.png", frame.lane * 255)
        elif layout == "rmt-ppad":
            write_image(root / f"images/{split}2017/{frame.name}.jpg", frame.image)
            write_text(root / f"labels/{split}2017/{frame.name}.txt", yolo_file(frame.boxes))
            write_image(root / f"mask/drivable/{split}2017/{frame.name}.png", frame.drivable)
            write_image(root / f"mask/lane/{split}2017/{frame.name}.png", frame.lane)
        else:
            write_image(root / f"images/100k/{split}/{frame.name}.jpg", frame.image)
            write_image(root / f"labels/drivable/masks/{split}/{frame.name}.png", bdd_drivable(frame.drivable))
            write_image(root / f"labels/lane/masks/{split}/{frame.name}.png", bdd_lane(frame.lane))
            if layout == "bdd100k-2018":
                write_text(root / f"labels/100k/{split}/{frame.name}.json", bdd_file(frame.boxes))
    if layout == "bdd100k":
        # Not in order of name, and without labels where there are none, as in the release.
        listed = [
            {"name": f"{frame.name}.jpg", "labels": bdd_objects(frame.boxes) if frame.boxes else None}
            for frame in reversed(frames())
        ]
        write_text(root / f"labels/det_20/det_{split}.json", json.dumps(listed, indent=1))


@pytest.fixture
def turn():
    """A JPEG whose EXIF tag says how it is to be turned: 1 not at all, 3 upside down, 6 to the right."""

    def add(jpeg: bytes, orientation: int) -> bytes:
        # One big-endian directory with one entry: tag 0x112, a short, one of them.
        entry = struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0)
        content = b"Exif\0\0" + b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
        return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]

    return add


@pytest.fixture
def tiny_frames() -> list[Frame]:
    """What the tiny data sets show, in order of name."""
    return frames()


@pytest.fixture(params=LAYOUTS)
def any_layout(request, tmp_path) -> tuple[Path, str]:
    """A tiny data set with a ``val`` split in each layout, and the layout's name."""
    write_layout(tmp_path, request.param)
    return tmp_path, request.param.removesuffix("-2018")


@pytest.fixture
def yolop(tmp_path) -> Path:
    """A tiny data set in the YOLOP layout with a ``val`` split."""
    write_layout(tmp_path, "yolop")
    return tmp_path


@pytest.fixture
def rmt_ppad(tmp_path) -> Path:
    """A tiny data set in the RMT-PPAD layout with a ``val`` split."""
    write_layout(tmp_path, "rmt-ppad")
    return tmp_path


@pytest.fixture
def bdd100k(tmp_path) -> Path:
    """A tiny data set as BDD100K's archives unpack, with a ``val`` split; its labels are one list."""
    write_layout(tmp_path / "bdd100k", "bdd100k")
    return tmp_path
