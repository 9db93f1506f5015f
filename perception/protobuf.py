"""Messages of Protocol Buffers, field by field: enough to read an ONNX file without the onnx library.

The wire format is that of https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
# Ten bytes; a file could hold numbers that take hours to add up.
_VARINT_BITS = 70


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of those fields that have a length: texts, bytes, messages. Plain numbers are skipped.

    Raises:
        IndexError, KeyError, ValueError: ``message`` is none, or cut short.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("cut short")
            yield number, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        else:
            at += _WIDTHS[kind]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that starts at ``at``, seven bits a byte, lowest first, and where it ends."""
    number = shift = 0
    while shift < _VARINT_BITS:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    raise ValueError("a number without end")
