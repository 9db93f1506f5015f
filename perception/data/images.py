"""Reading pictures, masks and videos with OpenCV; a file that is not whole is an error, never half a picture.

Pictures are JPEG and PNG files, whatever their names say: OpenCV's other decoders see nothing of a stranger's file.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from perception.data.claims import is_plausible
from perception.data.folders import IMAGE_SUFFIXES, image_files
from perception.errors import InputError
from perception.files import read_bytes


def pictures(path: Path, step: int = 1) -> Iterator[tuple[str, np.ndarray]]:
    """Stream the pictures of a file, a folder (not its subfolders, in order of name) or a video, every ``step``-th.

    Yields ``(name, image)``: the file's stem, with the frame's number for a video, and uint8 ``[H, W, 3]`` RGB.
    Raises :class:`InputError` at once where there is nothing to read, and while streaming at a broken file.
    """
    path = Path(path)
    if path.is_dir():
        files = image_files(path)
        if not files:
            raise InputError(f"{path}: no pictures in this folder ({', '.join(IMAGE_SUFFIXES)})")
    elif not path.exists():
        raise InputError(f"{path}: no such file or folder")
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        files = {path.stem: path}
    else:
        capture = cv2.VideoCapture(str(path))
        if not capture.isOpened():
            raise InputError(f"{path}: neither a picture nor a video that OpenCV can open")
        return _video_frames(capture, path, step)
    return ((name, read_image(file)) for name, file in islice(files.items(), 0, None, step))


def number_of_pictures(path: Path) -> int | None:
    """How many :func:`pictures` streams; None where a video does not say."""
    path = Path(path)
    if path.is_dir():
        return len(image_files(path))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return 1
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count if count > 0 else None


def read_image(path: Path) -> np.ndarray:
    """Read a picture as uint8 ``[H, W, 3]`` RGB, turned as its EXIF tag says, like viewers and labelling tools show it.

    Grey and CMYK pictures become RGB. Raises :class:`InputError` where it is missing or broken.
    """
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def is_turned(path: Path) -> bool:
    """Whether a picture's EXIF tag asks for it to be turned or mirrored; it must be readable."""
    # Where the tag lies in JPEG and PNG; it is OpenCV that must understand it, so OpenCV is asked.
    start = read_bytes(path)[: 1 << 16]
    if b"Exif" not in start and b"eXIf" not in start:
        return False
    stored = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return not np.array_equal(stored, _decode(path, cv2.IMREAD_COLOR))


def read_mask(path: Path) -> np.ndarray:
    """Read a mask's pixel values as uint8 ``[H, W]``; raises :class:`InputError` where it is missing or broken."""
    # Any depth: else 16-bit masks would be divided by 256 in silence and a foreground of 1 would vanish.
    mask = _decode(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if mask.dtype != np.uint8:
        raise InputError(f"{path}: has {8 * mask.itemsize} bits a pixel, a mask must have 8")
    return mask


def _decode(path: Path, flags: int) -> np.ndarray:
    data = read_bytes(path)
    if data.startswith(b"\xff\xd8") and _is_cut_off(data):
        raise InputError(f"{path}: the end of this JPEG is missing, copy the file again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if is_plausible(data) else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: cannot be decoded as a JPEG or PNG picture, copy the file again")
    return image


def _is_cut_off(jpeg: bytes) -> bool:
    """Whether no end-of-image marker follows the last start of scan.

    OpenCV 4 decodes such files in part and only warns; it refuses a cut PNG by itself. A thumbnail in the header
    brings an end marker of its own, so the marker's mere presence proves nothing.
    """
    return jpeg.rfind(b"\xff\xd9") < jpeg.rfind(b"\xff\xda")


def _video_frames(capture: cv2.VideoCapture, path: Path, step: int) -> Iterator[tuple[str, np.ndarray]]:
    try:
        number = 0
        while capture.grab():
            # Decoding, most of the work, is for those that are wanted.
            if number % step == 0:
                there, frame = capture.retrieve()
                if not there:
                    break
                yield f"{path.stem}-{number:06d}", cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            number += 1
        if not number:
            raise InputError(f"{path}: no frame of this video can be read")
    finally:
        capture.release()
