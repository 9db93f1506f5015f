"""Where frames come from: a picture, a folder of them, a video, a camera, or nowhere at all."""

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from perception.data.images import IMAGE_SUFFIXES, image_files, pictures
from perception.errors import InputError
from runtime.pipeline import Frame

Kind = Literal["picture", "folder", "video", "camera", "drawn"]
# For a video or a camera that does not say how fast it is.
_USUAL_FPS = 25.0


@dataclass(frozen=True)
class Source:
    """Something to look at.

    Attributes:
        label: how reports call it.
        kind: what it is; ``drawn`` frames are in memory, so that reading them takes no time.
        frames: opens it anew and yields its frames.
        fps: frames per second of a video or a camera, else None.
        count: how many frames there are, None where that is not known.
        path: of a file or folder.
    """

    label: str
    kind: Kind
    frames: Callable[[], Iterator[Frame]]
    fps: float | None = None
    count: int | None = None
    path: Path | None = None

    def endless(self) -> Generator[Frame, None, None]:
        """Its frames, over and over."""
        while True:
            yield from self.frames()


def open_source(text: str) -> Source:
    """Find out what ``text`` names: a file, a folder, or a camera by its number.

    Raises:
        InputError: there is no such file or camera, or nothing to see in it. Pictures are not decoded yet.
    """
    path = Path(text)
    if text.isdecimal() and not path.exists():
        return _camera(int(text))

    def frames() -> Iterator[Frame]:
        return itertools.starmap(Frame, pictures(path))

    frames()
    if path.is_dir():
        return Source(text, "folder", frames, count=len(image_files(path)), path=path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(text, "picture", frames, count=1, path=path)
    return Source(text, "video", frames, *_pace(cv2.VideoCapture(str(path))), path)


def drawn_source(size: tuple[int, int] = (720, 1280), count: int = 4) -> Source:
    """A few plain street-like pictures, the same on every machine, for measuring speed without any data."""
    frames = [Frame(f"drawn-{index}", _street(size, index / count)) for index in range(count)]
    return Source(f"drawn {size[1]}x{size[0]}", "drawn", lambda: iter(frames), count=count)


def _street(size: tuple[int, int], phase: float) -> np.ndarray:
    """Sky over a road that narrows towards the horizon, with dashes and two cars; ``phase`` in [0, 1) moves them."""
    height, width = size
    down = np.linspace(0, 1, height)[:, None]
    across = np.linspace(-1, 1, width)[None, :]
    near = np.clip((down - 0.45) / 0.55, 0, 1)
    road = (down > 0.45) & (np.abs(across) < 0.05 + 0.9 * near)
    dashes = road & (np.abs(across) < 0.004 + 0.02 * near) & ((np.sqrt(near) * 6 + phase) % 1 < 0.5)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.where((down < 0.45)[..., None], (150, 180, 210), (80, 110, 70))
    image[road] = (90, 90, 95)
    image[dashes] = (235, 235, 230)
    for centre, colour in ((-0.3 + 0.1 * phase, (170, 30, 30)), (0.35 - 0.1 * phase, (30, 40, 120))):
        image[(np.abs(across - centre) < 0.09) & (np.abs(down - 0.6) < 0.07)] = colour
    return image


def _camera(index: int) -> Source:
    def frames() -> Iterator[Frame]:
        capture = _open_camera(index)
        try:
            for number in itertools.count():
                good, image = capture.read()
                if not good:
                    raise InputError(f"camera {index}: stopped giving frames after {number}")
                yield Frame(f"{number:06}", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        finally:
            capture.release()

    return Source(f"camera {index}", "camera", frames, *_pace(_open_camera(index)))


def _open_camera(index: int) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise InputError(f"camera {index}: cannot be opened; is it connected and free?")
    return capture


def _pace(capture: cv2.VideoCapture) -> tuple[float, int | None]:
    """Frames per second and in all, as the file or driver says, where that can be believed. Releases ``capture``."""
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return fps if 1 <= fps <= 1000 else _USUAL_FPS, int(count) if count >= 1 else None
