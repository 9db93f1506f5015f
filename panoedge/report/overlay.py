"""Pictures of what the models saw: handed over as arrays, kept as JPEG files beside the report and inside the HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception.data.images import read_image
from perception.errors import InputError

FOLDER = "overlays"
_LARGEST_WIDTH = 960
_QUALITY = 85
# Characters of a name from a file that are shown.
_QUOTED = 80


@dataclass(frozen=True)
class Panel:
    """One picture and whose it is; ``image`` is uint8 ``[H, W, 3]`` RGB."""

    label: str
    image: np.ndarray


@dataclass(frozen=True)
class Overlay:
    """One scene as several models saw it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Picture:
    """A panel ready to be written: ``file`` is relative to the report, ``jpeg`` its content, sizes in pixels."""

    label: str
    file: str
    jpeg: bytes
    width: int
    height: int


def encode(overlays: Sequence[Overlay]) -> list[tuple[str, list[Picture]]]:
    """Every scene's title with its pictures as JPEG, no wider than 960 pixels."""
    scenes = []
    for number, overlay in enumerate(overlays, 1):
        pictures = [
            _picture(panel, f"{FOLDER}/{number:02}-{place}.jpg") for place, panel in enumerate(overlay.panels, 1)
        ]
        scenes.append((overlay.title, pictures))
    return scenes


def read(report: Mapping[str, Any], path: Path) -> list[Overlay]:
    """Load the overlays that the report at ``path`` names.

    Raises:
        InputError: for a picture that is missing, is none, or lies outside the report's own folder.
    """
    return [
        Overlay(entry["title"], [Panel(panel["label"], _load(path, panel["file"])) for panel in entry["panels"]])
        for entry in report.get("overlays") or []
    ]


def join(overlays: Sequence[Overlay]) -> list[Overlay]:
    """Bring scenes of one title together, so that the models of several reports stand side by side."""
    scenes: dict[str, list[Panel]] = {}
    for overlay in overlays:
        panels = scenes.setdefault(overlay.title, [])
        panels += [panel for panel in overlay.panels if not any(_same(panel, other) for other in panels)]
    return [Overlay(title, panels) for title, panels in scenes.items()]


def _same(one: Panel, other: Panel) -> bool:
    return one.label == other.label and np.array_equal(one.image, other.image)


def _picture(panel: Panel, file: str) -> Picture:
    image = panel.image
    height, width = image.shape[:2]
    if width > _LARGEST_WIDTH:
        height, width = max(1, round(height * _LARGEST_WIDTH / width)), _LARGEST_WIDTH
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return Picture(panel.label, file, data.tobytes(), width, height)


def _inside(folder: Path, path: Path) -> bool:
    """A report may come from a stranger: it shows pictures of its own folder and nothing else of this machine."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte
        return False


def _load(report: Path, file: str) -> np.ndarray:
    path = report.parent / file
    if not _inside(report.parent, path):
        raise InputError(
            f"{report}: overlay {file[:_QUOTED]!r} lies outside the report's folder; keep pictures beside the report"
        )
    try:
        return read_image(path)
    except InputError:
        raise InputError(
            f"{report}: overlay {file[:_QUOTED]!r} is no picture that can be read; copy it along"
        ) from None
