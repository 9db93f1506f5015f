from dataclasses import replace

import pytest

from perception.command import main
from perception.engine_file import EngineRecord, Source, Tensor, write_record
from perception.errors import InputError
from perception.files import sha256
from perception.spec import Deployed, InputSpec
from runtime.commands import register_info
from runtime.engine_info import engine_facts


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "tiny.engine"
    path.write_bytes(b"an engine")
    record = EngineRecord(
        Source("tiny.onnx", "ab" * 32, "tensorrt", "10.3.0", "Orin", "8.7", 512),
        Deployed("yolop", InputSpec((64, 96)), "fp16", 1_500_000, 2_000_000_000, "cd" * 32),
        (Tensor("image", "input", "uint8", (1, 64, 96, 3)),),
        sha256(path),
        12.5,
        "2026-11-23T12:00:00+00:00",
    )
    write_record(path, record)
    return path, record


def test_says_what_it_was_built_from_and_for(engine, capsys):
    path, record = engine
    facts = engine_facts(path)
    assert facts["network"] == "yolop, fp16"
    assert facts["library"] == "tensorrt 10.3.0"
    assert facts["built for"] == "Orin (compute capability 8.7)"
    assert facts["workspace"] == "512 MiB"
    assert facts["input image"] == "uint8 [1, 64, 96, 3]"
    assert "WARNING" not in facts
    assert main("test", "", [register_info], ["info", str(path)]) == 0
    assert "tiny.onnx, sha256 abab" in capsys.readouterr().out
    anywhere = replace(record.source, gpu=None, compute_capability=None, workspace_mib=None)
    write_record(path, replace(record, source=anywhere))
    assert engine_facts(path)["built for"] == "any GPU that the library knows"


def test_warns_of_the_record_of_another(engine):
    path, _ = engine
    path.write_bytes(b"another engine")
    assert "another engine" in engine_facts(path)["WARNING"]


def test_absent_files(engine, tmp_path):
    path, _ = engine
    with pytest.raises(InputError, match="no such file"):
        engine_facts(tmp_path / "none.engine")
    path.with_name("tiny.engine.json").unlink()
    with pytest.raises(InputError, match="is not beside it"):
        engine_facts(path)
