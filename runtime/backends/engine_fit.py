"""Whether an engine belongs on this machine, told before its library is asked, whose own refusal says little."""

from pathlib import Path

from perception.engine_file import EngineRecord
from perception.errors import InputError
from perception.files import sha256
from perception.gpu import Gpu


def check_fits(path: Path, record: EngineRecord, version: str, gpu: Gpu | None) -> None:
    """Raise :class:`InputError` with one sentence where the engine at ``path`` cannot be run here, or is out of date.

    Args:
        path: of the engine.
        record: what lies beside it.
        version: of the library here.
        gpu: of this machine.
    """
    source = record.source
    again = f"build it again here: panoedge export engine {source.onnx} --out {path.name} --target {source.library}"
    if gpu is None:
        raise InputError(f"{path}: needs an NVIDIA GPU and its driver, which were not found here")
    if source.version != version:
        raise InputError(f"{path}: built by {source.library} {source.version}, here is {version}; {again}")
    here = (gpu.name, gpu.compute_capability, gpu.multiprocessors)
    built_for = (source.gpu, source.compute_capability, source.multiprocessors)
    if any(wanted not in (None, found) for wanted, found in zip(built_for, here, strict=True)):
        raise InputError(f"{path}: built for {source.built_for}, here is {gpu}; {again}")
    if sha256(path) != record.engine_sha256:
        raise InputError(f"{path}: not the engine that the .json beside it is about; {again}")
    onnx = path.with_name(source.onnx)
    if onnx.is_file() and sha256(onnx) != source.onnx_sha256:
        raise InputError(f"{path}: {onnx.name} beside it has changed since it was built; {again}")
