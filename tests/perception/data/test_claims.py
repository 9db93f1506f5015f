"""Pictures that claim to be what they cannot be, and the most densely packed ones there are."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from perception.data.claims import is_plausible
from perception.data.images import read_image, read_mask
from perception.errors import InputError


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 0) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def jpeg(size: tuple[int, int], *options: int) -> bytes:
    return cv2.imencode(".jpg", np.full((*size, 3), 90, np.uint8), options)[1].tobytes()


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_OPTIMIZE, 1), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_a_blank_picture_packs_many_pixels_into_a_byte(options):
    assert is_plausible(jpeg((2000, 2000), *options))


def test_a_blank_mask_packs_even_more(tmp_path):
    data = png(4000, 2000, bytes(2000 * (1 + 500)), depth=1)
    assert len(data) < 1500 and is_plausible(data)
    (tmp_path / "mask.png").write_bytes(data)
    assert read_mask(tmp_path / "mask.png").shape == (2000, 4000)


def with_size(data: bytes, size: tuple[int, int]) -> bytes:
    """A JPEG whose frame header says another size."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", *size) + data[at + 4 :]


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = jpeg((64, 64), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (count - data.count(b"\xff\xda")) + data[-2:]


ORDINARY = png(8, 4, bytes(4 * 9))
LIARS = {
    "a PNG of a thousand million pixels": png(1 << 15, 1 << 15, bytes(100)),
    "a PNG whose chunk is longer than the file": ORDINARY[:33] + b"\xff\xff\xff\xff" + ORDINARY[37:],
    "a PNG without an end": ORDINARY[:-12],
    "a PNG without a header": ORDINARY[:8] + ORDINARY[33:],
    "a PNG of no pixels": png(0, 4, bytes(4)),
    "a JPEG of four thousand million pixels": with_size(jpeg((8, 8)), (65535, 65535)),
    "a JPEG that is refined without end": with_scans(101),
    "a JPEG without a frame": b"\xff\xd8\xff\xd9",
    "a JPEG whose segments lie": jpeg((8, 8)).replace(b"\xff\xe0\x00\x10", b"\xff\xe0\xff\xff"),
    "a JPEG of a segment without length": b"\xff\xd8\xff\xe0\x00\x00" + bytes(60),
}


@pytest.mark.parametrize("kind", LIARS)
def test_what_cannot_be_is_refused_before_it_is_decoded(kind, tmp_path, monkeypatch):
    assert is_plausible(LIARS[kind]) is False
    path = tmp_path / "picture.jpg"
    path.write_bytes(LIARS[kind])
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"picture\.jpg: .*copy the file again"):
        read_image(path)


def test_a_progressive_picture_is_read_scan_by_scan(tmp_path):
    (tmp_path / "a.jpg").write_bytes(with_scans(40))
    assert read_image(tmp_path / "a.jpg").shape == (64, 64, 3)


def test_other_formats_are_not_read(tmp_path):
    bitmap = cv2.imencode(".bmp", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    assert is_plausible(bitmap) is None
    (tmp_path / "a.png").write_bytes(bitmap)
    with pytest.raises(InputError, match="as a JPEG or PNG picture"):
        read_image(tmp_path / "a.png")


def test_fill_bytes_before_a_marker_are_allowed():
    data = jpeg((8, 8))
    assert is_plausible(data[:2] + b"\xff\xff" + data[2:])
