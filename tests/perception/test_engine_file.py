import json
from dataclasses import replace

import pytest

from perception.engine_file import EngineRecord, Source, Tensor, read_record, record_path, write_record
from perception.errors import InputError
from perception.spec import Deployed, InputSpec

RECORD = EngineRecord(
    Source("tiny.onnx", "ab" * 32, "tensorrt", "10.3.0", "Orin", "8.7", 512),
    Deployed("yolop", InputSpec((64, 96)), "fp16", 1500, 2_000_000, "cd" * 32),
    (Tensor("image", "input", "uint8", (1, 64, 96, 3)), Tensor("scores", "output", "float32", (1, 300))),
    "ef" * 32,
    12.5,
    "2026-11-23T12:00:00+00:00",
)


def test_record_lies_beside_the_engine_and_is_read_back(tmp_path):
    engine = tmp_path / "tiny.engine"
    write_record(engine, RECORD)
    assert record_path(engine).name == "tiny.engine.json"
    assert read_record(engine) == RECORD
    assert json.loads(record_path(engine).read_text())["precision"] == "fp16"
    anywhere = replace(RECORD, source=replace(RECORD.source, gpu=None, compute_capability=None, workspace_mib=None))
    write_record(engine, anywhere)
    assert read_record(engine) == anywhere


def test_engine_without_record(tmp_path):
    with pytest.raises(InputError, match=r"tiny\.engine\.json is not beside it"):
        read_record(tmp_path / "tiny.engine")


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"library": "tensorflow"}, {"deployed": None}, {"tensors": 3}, {"seconds": "long"}],
)
def test_malformed_records(tmp_path, change):
    engine = tmp_path / "tiny.engine"
    record_path(engine).write_text(json.dumps({**RECORD.to_json(), **change}))
    with pytest.raises(InputError, match="not the record of an engine") as refused:
        read_record(engine)
    assert str(refused.value).startswith(str(record_path(engine)))


@pytest.mark.parametrize("text", ["[]", "{}", "3"])
def test_other_json(tmp_path, text):
    engine = tmp_path / "tiny.engine"
    record_path(engine).write_text(text)
    with pytest.raises(InputError, match="not the record of an engine"):
        read_record(engine)
