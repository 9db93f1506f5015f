"""The record beside an engine: ``X.engine.json`` says what ``X.engine`` was built from, with what, and for what.

An engine runs only where it was built for, and TensorRT's own refusal of any other says little. The record is what a
clear one is made from, and what tells whether an engine must be built again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from perception.errors import MALFORMED, InputError, brief
from perception.fields import count, duration, file_name, text
from perception.files import atomic, read_json, sha256, write_json
from perception.spec import Deployed

T = TypeVar("T")

Library = Literal["tensorrt", "tensorrt-rtx"]
LIBRARIES: tuple[Library, ...] = get_args(Library)
FORMAT = 1
# Key of the record of the engine that is there until the new one takes its place.
_REPLACES = "replaces"


@dataclass(frozen=True)
class Source:
    """What an engine is made of; the same source gives the same engine, so it need not be built again.

    Attributes:
        onnx: name of the ONNX file.
        onnx_sha256: of its bytes.
        library: what built the engine and runs it.
        version: of that library.
        gpu: name of the GPU it was built on; None where it was built without one.
        compute_capability: it was built for, such as ``8.7``; None where for all that the library knows.
        workspace_mib: most memory that a layer could ask for while tactics were chosen; None for all there is.
        multiprocessors: of the GPU it was built on; None where it was built without one, or by an older version.
    """

    onnx: str
    onnx_sha256: str
    library: Library
    version: str
    gpu: str | None
    compute_capability: str | None
    workspace_mib: int | None
    multiprocessors: int | None = None

    @property
    def built_for(self) -> str:
        """The GPU in words, as far as it is known."""
        known = [f"compute capability {self.compute_capability}"] if self.compute_capability else []
        known += [f"{self.multiprocessors} multiprocessors"] if self.multiprocessors else []
        if not (self.gpu or known):
            return "any GPU that the library knows"
        return (self.gpu or "a GPU") + (f" ({', '.join(known)})" if known else "")


@dataclass(frozen=True)
class Tensor:
    """One input or output.

    Attributes:
        name: as in the ONNX file.
        role: ``input`` or ``output``.
        type: NumPy's name of its elements.
        shape: all sides fixed.
    """

    name: str
    role: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class EngineRecord:
    """All that is known of an engine.

    Attributes:
        source: what it was made of.
        deployed: what the ONNX file says of itself, its precision among it.
        tensors: inputs, then outputs.
        engine_sha256: of the engine's bytes.
        seconds: that building took.
        built: when it was done, ISO 8601.
    """

    source: Source
    deployed: Deployed
    tensors: tuple[Tensor, ...]
    engine_sha256: str
    seconds: float
    built: str

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        return {
            "format": FORMAT,
            **asdict(self.source),
            "precision": self.deployed.precision,
            "deployed": self.deployed.to_json(),
            "tensors": [asdict(tensor) for tensor in self.tensors],
            "engine_sha256": self.engine_sha256,
            "seconds": self.seconds,
            "built": self.built,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "EngineRecord":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")
        if data["library"] not in LIBRARIES:
            raise ValueError(f"unknown library {data['library']!r}")
        return cls(
            Source(
                file_name(data["onnx"]),
                text(data["onnx_sha256"]),
                data["library"],
                text(data["version"]),
                _optional(text, data["gpu"]),
                _optional(text, data["compute_capability"]),
                _optional(count, data["workspace_mib"]),
                _optional(count, data.get("multiprocessors")),
            ),
            Deployed.from_json(data["deployed"]),
            tuple(
                Tensor(text(each["name"]), text(each["role"]), text(each["type"]), tuple(map(count, each["shape"])))
                for each in data["tensors"]
            ),
            text(data["engine_sha256"]),
            duration(data["seconds"]),
            text(data["built"]),
        )


def _optional(check: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else check(value)


def record_path(engine: Path) -> Path:
    """Where the record of ``engine`` lies."""
    return Path(f"{engine}.json")


def write_record(engine: Path, record: EngineRecord) -> None:
    """Write the record of ``engine``."""
    write_json(record_path(engine), record.to_json())


def write_engine(engine: Path, content: bytes | memoryview, record: EngineRecord) -> None:
    """Write an engine and its record; whenever this ends, a pair that belongs together is there, the old or the new.

    Two files cannot take their places at once: until the new engine is there, its record carries the old one's.
    """
    before = None
    with suppress(InputError):
        before = read_record(engine)
    with atomic(engine) as temporary:
        temporary.write_bytes(content)
        write_json(record_path(engine), {**record.to_json(), _REPLACES: before.to_json() if before else None})
    write_record(engine, record)


def read_record(engine: Path) -> EngineRecord:
    """Read the record of ``engine``; raises :class:`InputError` where it is absent or malformed."""
    path = record_path(engine)
    if not path.is_file():
        raise InputError(f"{engine}: {path.name} is not beside it; copy it too, or build again: panoedge export engine")
    try:
        data = read_json(path)
        record = EngineRecord.from_json(data)
        replaced = EngineRecord.from_json(data[_REPLACES]) if data.get(_REPLACES) else None
    except MALFORMED as error:
        raise InputError(
            f"{path}: not the record of an engine ({brief(error)}); build again: panoedge export engine"
        ) from None
    # Only a build that did not come to its end leaves one to be replaced; the engine tells whether it was.
    if replaced and engine.is_file() and sha256(engine) == replaced.engine_sha256:
        return replaced
    return record
