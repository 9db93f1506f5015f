"""Whether an ONNX file is all there is: weights may lie in other files, which it names by any path.

This project never writes such files. ONNX Runtime 1.19 opens whatever path they name, while 1.32 keeps to the file's
folder; what TensorRT's parsers do is not known. So a file is looked through before any of them sees it. Field numbers
are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from pathlib import Path

from perception.errors import MALFORMED, InputError
from perception.files import read_bytes
from perception.protobuf import fields

# By kind of message, the fields through which a tensor can be reached, and the kind of message in them.
_TENSOR = "TensorProto"
_INSIDE: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: _TENSOR, 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: _TENSOR,
        6: "GraphProto",
        10: _TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: _TENSOR, 2: _TENSOR},
}
# TensorProto.external_data: where else the numbers lie.
_EXTERNAL = 13


def check_self_contained(path: Path) -> None:
    """Raise :class:`InputError` for an ONNX file that names another one for its weights, or is none."""
    try:
        waiting = [("ModelProto", memoryview(read_bytes(path)))]
        while waiting:
            kind, message = waiting.pop()
            for number, content in fields(message):
                if kind == _TENSOR and number == _EXTERNAL:
                    raise InputError(f"{path}: keeps weights in another file, which is not opened; export it again")
                if number in _INSIDE.get(kind, ()):
                    waiting.append((_INSIDE[kind][number], content))
    except MALFORMED:
        raise InputError(f"{path}: not an ONNX file, or cut short; export it again") from None
