"""What an engine is, from the record beside it; no GPU and no TensorRT are needed to ask."""

from pathlib import Path
from typing import Any

from perception.engine_file import read_record
from perception.errors import InputError
from perception.files import sha256
from runtime.text import model_facts


def engine_facts(path: Path) -> dict[str, Any]:
    """Names and values for a terminal.

    Raises:
        InputError: the engine is absent, or the record beside it is absent or malformed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    record = read_record(path)
    source, deployed = record.source, record.deployed
    digest = sha256(path)
    model = {
        "file": str(path),
        "sha256": digest,
        "bytes": path.stat().st_size,
        "network": deployed.network,
        "precision": deployed.precision,
        "input": deployed.spec.to_json(),
        "parameters": deployed.parameters,
        "macs": deployed.macs,
    }
    return {
        **model_facts(model),
        "library": f"{source.library} {source.version}",
        "built for": source.built_for,
        "built": f"{record.built}, in {record.seconds:g} s",
        "workspace": "unlimited" if source.workspace_mib is None else f"{source.workspace_mib} MiB",
        "ONNX file": f"{source.onnx}, sha256 {source.onnx_sha256}",
        "checkpoint": deployed.checkpoint_sha256,
        **{f"{tensor.role} {tensor.name}": f"{tensor.type} {list(tensor.shape)}" for tensor in record.tensors},
        **({} if digest == record.engine_sha256 else {"WARNING": "the record beside it is of another engine"}),
    }
