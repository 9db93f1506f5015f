"""Look at a source through a network and write what was seen, as pictures or as a video."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from perception.command import say
from perception.data.images import IMAGE_SUFFIXES
from perception.errors import InputError
from perception.files import atomic, check_writable, writable_folder
from perception.progress import Progress
from runtime.backends import Backend
from runtime.overlay import draw, save
from runtime.pipeline import Perceiver, SourceLost
from runtime.sources import Source
from runtime.text import count_text

# Takes a frame's name and its painted picture, uint8 [H, W, 3] RGB.
Write = Callable[[str, np.ndarray], None]
_VIDEO_SUFFIX = ".mp4"
# Bytes that the shortest video comes to.
_BEGINNING = 4096


def run(backend: Backend, source: Source, out: Path, limit: int | None = None) -> int:
    """Write the frames of ``source`` with overlays; what was written before the source broke is kept.

    Args:
        backend: the network.
        source: what to look at. A camera goes on until ``limit``, Ctrl-C or its end, which is as good as any.
        out: a picture (.jpg, .png), a video (.mp4), or a folder for one JPEG a frame.
        limit: stop after so many frames.

    Returns:
        How many frames were written.

    Raises:
        InputError: ``out`` cannot be written or does not suit the source.
        SourceLost: a frame cannot be read; says how many were written.
    """
    perceiver = Perceiver(backend)
    total = min((number for number in (source.count, limit) if number), default=None)
    lost = None
    with _writer(Path(out), source) as write, Progress(f"run {source.label}", total) as progress:
        try:
            with closing(perceiver.stream(islice(source.persistent(), limit))) as stream:
                for seen in stream:
                    write(seen.frame.name, draw(seen.frame.image, seen.prediction, seen.fit, backend.info.spec))
                    progress.step()
        except KeyboardInterrupt:
            if source.kind != "camera":
                raise
        except SourceLost as error:
            if not progress.done:
                raise
            lost = error
    perceiver.faults.tell()
    if lost and source.kind != "camera":
        raise SourceLost(f"{lost}; {out}: {count_text(progress.done)} written before")
    if lost:
        say(str(lost))
    elif total and progress.done < total:
        # A file that was cut off looks like one that ends.
        say(f"{source.label}: gave {count_text(progress.done)} of {total} that it announces")
    return progress.done


def _writer(out: Path, source: Source) -> AbstractContextManager[Write]:
    """Choose by the name of ``out``; refuses what does not suit the source before any work is done."""
    if _would_overwrite(out, source):
        raise InputError(f"{out}: the source lies there and would be painted over; write somewhere else")
    suffix = "" if out.is_dir() else out.suffix.lower()
    if not suffix:
        folder = writable_folder(out)
        return nullcontext(lambda name, image: save(folder / f"{name}.jpg", image))
    if suffix in IMAGE_SUFFIXES:
        if source.kind != "picture":
            raise InputError(f"{out}: is one picture and {source.label} is more; name a folder")
        path = check_writable(out)
        return nullcontext(lambda name, image: save(path, image))
    if suffix == _VIDEO_SUFFIX:
        if source.fps is None:
            raise InputError(f"{out}: a video comes from a video or a camera, not from {source.label}; name a folder")
        return _video(check_writable(out), source.fps)
    raise InputError(f"{out}: name a folder, a picture ({', '.join(IMAGE_SUFFIXES)}) or a video ({_VIDEO_SUFFIX})")


def _would_overwrite(out: Path, source: Source) -> bool:
    if source.path is None or not out.exists():
        return False
    return out.samefile(source.path) or (source.kind == "picture" and out.samefile(source.path.parent))


@contextmanager
def _video(path: Path, fps: float) -> Iterator[Write]:
    """A video whose size is that of its first frame; it appears at ``path`` when it is complete."""
    with atomic(path) as temporary:
        writer = cv2.VideoWriter()

        def write(name: str, image: np.ndarray) -> None:
            if not writer.isOpened():
                size = (image.shape[1], image.shape[0])
                # On a full disk it would be said that this OpenCV cannot do it.
                temporary.write_bytes(bytes(_BEGINNING))
                if not writer.open(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), fps, size):
                    raise InputError(f"{path}: this OpenCV cannot write MP4 videos; name a folder")
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

        try:
            yield write
        finally:
            writer.release()
        # OpenCV reports no write errors; a file cut short lacks its index and does not open.
        if not cv2.VideoCapture(str(temporary)).isOpened():
            raise InputError(f"{path}: no whole video came about; did the source give frames, is the disk full?")
