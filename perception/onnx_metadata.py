"""What an exported ONNX file says of itself, read without the onnx library, which a board need not have."""

import json
from collections.abc import Iterator
from pathlib import Path

from perception.errors import InputError
from perception.spec import ONNX_METADATA_KEY, Deployed

# Protocol Buffers' wire format, https://protobuf.dev/programming-guides/encoding, and the numbers of
# ``ModelProto.metadata_props`` and of a property's key and value in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_METADATA, _KEY, _VALUE = 14, 1, 2


def read_deployed(path: Path) -> Deployed:
    """Read the metadata that :mod:`export.onnx_writer` wrote into ``path``.

    Raises:
        InputError: the file cannot be read, is no ONNX file, or was not written by this project.
    """
    try:
        model = memoryview(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        properties = dict(_property(value) for number, value in _fields(model) if number == _METADATA)
    except (IndexError, KeyError, ValueError):
        raise InputError(f"{path}: not an ONNX file, or cut short; export it again") from None
    return parse_deployed(path, properties.get(ONNX_METADATA_KEY))


def parse_deployed(path: Path, text: str | None) -> Deployed:
    """Parse the value of the metadata key :data:`perception.spec.ONNX_METADATA_KEY` found in ``path``.

    Raises:
        InputError: it is absent or malformed.
    """
    if text is None:
        raise InputError(
            f"{path}: not written by this project (no {ONNX_METADATA_KEY!r} metadata); panoedge export onnx"
        )
    try:
        return Deployed.from_json(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: its {ONNX_METADATA_KEY!r} metadata is malformed ({error!r}); export it again"
        ) from None


def _property(entry: memoryview | int) -> tuple[str, str]:
    fields = dict(_fields(_bytes(entry)))
    return bytes(_bytes(fields[_KEY])).decode(), bytes(_bytes(fields[_VALUE])).decode()


def _bytes(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Numbers and values of a message's fields; numbers of fixed width are skipped."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if position + length > len(message):
                raise ValueError("cut short")
            yield number, message[position : position + length]
            position += length
        else:
            position += {_FIXED32: 4, _FIXED64: 8}[kind]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """The number that starts at ``position``, seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position
