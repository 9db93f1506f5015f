"""Where frames come from: a picture, a folder of them, a video, a camera, or nowhere at all."""

import itertools
import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from perception.command import say
from perception.data.images import IMAGE_SUFFIXES, image_files, pictures
from perception.errors import InputError
from runtime.channel import Stalled
from runtime.overlap import overlap
from runtime.pipeline import Frame, SourceLost

Kind = Literal["picture", "folder", "video", "camera", "drawn"]
# For a video or a camera that does not say how fast it is.
_USUAL_FPS = 25.0
# A camera that gives nothing for so long is gone.
_PATIENCE_SECONDS = 5.0
# One that is gone is looked for so often, with such pauses; a plug that has come loose is back by then.
_TRIES, _PAUSE_SECONDS = 10, 1.0
_DEVICE = re.compile(r"/dev/video\d+")
_CURE = "is it connected and free?"
# What stands between the elements of a GStreamer pipeline.
_LINK = " ! "


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
        """Its frames, over and over; a camera's until it ends.

        Raises:
            SourceLost: it has no frames, or no more.
        """
        while True:
            given = 0
            try:
                for frame in self.frames():
                    given += 1
                    yield frame
            except InputError as error:
                raise SourceLost(str(error)) from None
            if self.kind == "camera" or not given:
                raise SourceLost(f"{self.label}: gave no more frames after {given}")

    def persistent(self, wait: Callable[[float], None] = time.sleep) -> Generator[Frame, None, None]:
        """Its frames; a camera that vanishes is opened again as soon as it is back, and its frames are counted on.

        A GStreamer pipeline is not: it may be of a file, and would begin anew.

        Args:
            wait: lets so many seconds pass.

        Raises:
            SourceLost: a camera has not come back, or anything else cannot be read.
        """
        if self.kind != "camera" or _LINK in self.label:
            try:
                yield from self.frames()
            except InputError as error:
                raise SourceLost(str(error)) from None
            return
        number = tries = 0
        while True:
            try:
                for frame in self.frames():
                    yield replace(frame, name=f"{number:06}")
                    number, tries = number + 1, 0
                return
            except InputError as error:
                if tries == _TRIES:
                    raise SourceLost(f"{error}; gone for {_TRIES * _PAUSE_SECONDS:g} s") from None
                if not tries:
                    say(f"{error}; waiting for it to come back")
                tries += 1
                wait(_PAUSE_SECONDS)


def open_source(text: str) -> Source:
    """Find out what ``text`` names.

    Args:
        text: a file, a folder, a camera by its number or as ``/dev/videoN``, or a GStreamer pipeline, which is known by
            its ``" ! "`` and must end in ``appsink``.

    Raises:
        InputError: there is no such file or camera, or nothing to see in it. Pictures are not decoded yet.
    """
    path = Path(text)
    if _LINK in text:
        return _camera(text, text, cv2.CAP_GSTREAMER)
    if _DEVICE.fullmatch(text):
        return _camera(text, text, cv2.CAP_V4L2)
    if text.isdecimal() and not path.exists():
        return _camera(f"camera {text}", int(text), cv2.CAP_ANY)

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


def _camera(label: str, device: int | str, library: int) -> Source:
    """Something that gives frames whether one is ready or not: only the newest is kept."""

    def frames() -> Iterator[Frame]:
        with closing(overlap(_captured(label, device, library), (), 1, _forget, _PATIENCE_SECONDS)) as newest:
            try:
                yield from newest
            except Stalled:
                raise SourceLost(f"{label}: gave no frame for {_PATIENCE_SECONDS:g} s") from None

    return Source(label, "camera", frames, *_pace(_open_camera(label, device, library)))


def _forget(frame: Frame) -> None:
    """An old frame of a camera is of no use."""


def _captured(label: str, device: int | str, library: int) -> Iterator[Frame]:
    capture = _open_camera(label, device, library)
    try:
        for number in itertools.count():
            good, image = capture.read()
            if not good:
                raise SourceLost(f"{label}: stopped giving frames after {number}")
            yield Frame(f"{number:06}", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()


def _open_camera(label: str, device: int | str, library: int) -> cv2.VideoCapture:
    try:
        capture = cv2.VideoCapture(device, library)
    except cv2.error:  # of a number beyond any camera's
        capture = None
    if capture is None or not capture.isOpened():
        cure = "try it with gst-launch-1.0; does this OpenCV have GStreamer?" if library == cv2.CAP_GSTREAMER else _CURE
        raise InputError(f"{label}: cannot be opened; {cure}")
    return capture


def _pace(capture: cv2.VideoCapture) -> tuple[float, int | None]:
    """Frames per second and in all, as the file or driver says, where that can be believed. Releases ``capture``."""
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return fps if 1 <= fps <= 1000 else _USUAL_FPS, int(count) if count >= 1 else None
