"""What an exported ONNX file says of itself, read without the onnx library, which a board need not have."""

import json
from pathlib import Path

from perception.errors import MALFORMED, InputError, brief
from perception.files import read_bytes
from perception.protobuf import fields
from perception.spec import ONNX_METADATA_KEY, Deployed

# ``ModelProto.metadata_props``, a property's key and value in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
_METADATA, _KEY, _VALUE = 14, 1, 2


def read_deployed(path: Path) -> Deployed:
    """Read the metadata that :mod:`export.onnx_writer` wrote into ``path``.

    Raises:
        InputError: the file cannot be read, is no ONNX file, or was not written by this project.
    """
    model = memoryview(read_bytes(path))
    try:
        properties = dict(_property(value) for number, value in fields(model) if number == _METADATA)
    except MALFORMED:
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
    except MALFORMED as error:
        raise InputError(
            f"{path}: its {ONNX_METADATA_KEY!r} metadata is malformed ({brief(error)}); export it again"
        ) from None


def _property(entry: memoryview) -> tuple[str, str]:
    found = dict(fields(entry))
    return str(found[_KEY], "utf-8"), str(found[_VALUE], "utf-8")
