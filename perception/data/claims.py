"""What a picture's header claims, looked at before a decoder takes memory for it.

Where the numbers lie: PNG, https://www.w3.org/TR/png-3 section 11.2.1; JPEG, ITU-T T.81 annex B.
"""

import struct

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
# Width, height, bits of a sample and colour type, which decides how many samples a pixel has.
_PNG_HEADER = struct.Struct(">8x4s4sIIBB")
_PNG_CHUNK, _PNG_CHECKSUM = struct.Struct(">I4s"), 4
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Deflate makes no more than 1032 bytes of one.
_PNG_BITS = 8 * 1032
# Huffman coding spends one bit or more on the 64 pixels of a block.
_JPEG_PIXELS = 8 * 64
# Length of a segment with its own two bytes, bits of a sample, height and width.
_JPEG_FRAME = struct.Struct(">HBHH")
# Start of frame, of any coding; three numbers in between mean other things. Then what has no length.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN = b"\xff\xda"
# A progressive picture has ten scans, as a rule. Each goes through all the pixels, and may take a few bytes only.
_MOST_SCANS = 100


def is_plausible(data: bytes) -> bool | None:
    """Whether a JPEG or PNG file is as large as its parts and the pixels it claims; None for any other file.

    What passes takes the decoder at most 50,000 bytes of memory a byte of the file, and goes through its pixels at most
    100 times.
    """
    if data.startswith(_PNG):
        return _plausible_png(data)
    if data.startswith(_JPEG):
        return _plausible_jpeg(data)
    return None


def _plausible_png(data: bytes) -> bool:
    """OpenCV takes memory for a chunk of any length before it looks whether it is there."""
    if len(data) < _PNG_HEADER.size:
        return False
    _, kind, width, height, depth, colour = _PNG_HEADER.unpack_from(data)
    bits = width * height * depth * _PNG_SAMPLES.get(colour, 0)
    if kind != b"IHDR" or not 0 < bits <= _PNG_BITS * len(data):
        return False
    at = len(_PNG)
    while at + _PNG_CHUNK.size <= len(data):
        length, kind = _PNG_CHUNK.unpack_from(data, at)
        at += _PNG_CHUNK.size + length + _PNG_CHECKSUM
        if kind == b"IEND":
            return at <= len(data)
    return False


def _plausible_jpeg(data: bytes) -> bool:
    """Go from segment to segment up to the first start of frame."""
    if data.count(_SCAN) > _MOST_SCANS:
        return False
    at = len(_JPEG)
    while at + 2 + _JPEG_FRAME.size <= len(data):
        if data[at] != 0xFF:
            return False
        marker = data[at + 1]
        if marker == 0xFF:  # fills up
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            length, _, height, width = _JPEG_FRAME.unpack_from(data, at + 2)
            if marker in _FRAMES:
                return 0 < height * width <= _JPEG_PIXELS * len(data)
            at += 2 + length
    return False
