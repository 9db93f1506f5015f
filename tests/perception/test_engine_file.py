import hashlib
import json
import multiprocessing
import os
import signal
import sys
from dataclasses import replace

import pytest

from perception.engine_file import EngineRecord, Source, Tensor, read_record, record_path, write_engine, write_record
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
    [
        {"format": 2},
        {"replaces": 3},
        {"replaces": {"format": 1}},
        {"library": "tensorflow"},
        {"deployed": None},
        {"tensors": 3},
        {"seconds": "long"},
        {"onnx": "../tiny.onnx"},
        {"gpu": True},
        {"version": "10.3\n"},
        {"tensors": [{"name": "image", "role": "input", "type": "uint8", "shape": ["wide"]}]},
        {"library": "x" * 3000},
    ],
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


def engine_of(content: bytes) -> tuple[bytes, EngineRecord]:
    return content, replace(RECORD, engine_sha256=hashlib.sha256(content).hexdigest())


OLD, NEW, LATER = (engine_of(content) for content in (b"old", b"new", b"later"))


def pair(path) -> tuple[bytes, EngineRecord] | None:
    """What is there; None where there is no engine."""
    return (path.read_bytes(), read_record(path)) if path.exists() else None


def killed_while_writing(path, content, record, renames) -> bool:
    """Whether a process that writes an engine was killed, which is done to it before so many-th a file is renamed."""

    def count(event, _):
        nonlocal renames
        if event == "os.rename":
            renames -= 1
            if renames == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def write():
        sys.addaudithook(count)
        write_engine(path, content, record)

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.parametrize("before", [OLD, None], ids=["another", "none"])
@pytest.mark.parametrize(("renames", "left"), [(1, "before"), (2, "before"), (3, "new")])
def test_killed_at_any_rename_it_leaves_a_pair_and_the_next_one_is_written(tmp_path, before, renames, left):
    path = tmp_path / "tiny.engine"
    if before:
        write_engine(path, *before)
    assert killed_while_writing(path, *NEW, renames)
    assert pair(path) == (before if left == "before" else NEW)
    # Once more on top of that.
    assert killed_while_writing(path, *LATER, 2)
    assert pair(path) == (before if left == "before" else NEW)
    write_engine(path, *LATER)
    assert pair(path) == LATER
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tiny.engine", "tiny.engine.json"]


def test_left_alone_it_renames_three_times_and_keeps_nothing_of_the_old_one(tmp_path):
    path = tmp_path / "tiny.engine"
    write_engine(path, *OLD)
    assert not killed_while_writing(path, *NEW, 4)
    assert pair(path) == NEW
    assert json.loads(record_path(path).read_text()).keys() == NEW[1].to_json().keys()
