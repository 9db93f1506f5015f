"""NVIDIA's own parser and builder on the exported files; TensorRT-RTX builds ahead of time without a GPU.

This shows that its parser and its ahead-of-time builder accept them. It shows nothing of a board's kernels, numbers or
speed.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from export import engine
from export.commands import register_engine
from export.engine import Options, build_engine
from perception import engine_file
from perception.command import main
from perception.engine_file import read_record, record_path
from perception.errors import InputError
from perception.files import alone, sha256
from perception.gpu import Gpu, find_gpu
from perception.onnx_metadata import read_deployed
from perception.spec import ONNX_METADATA_KEY
from perception.tensorrt_library import Journal

trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
RTX = Options(library="tensorrt-rtx")
FOR_AMPERE = Options(library="tensorrt-rtx", compute_capability="8.6")


@pytest.mark.parametrize("options", [RTX, FOR_AMPERE], ids=["every GPU", "8.6"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_builds_what_was_exported(files, tmp_path, precision, options, capsys):
    source, out = files[precision], tmp_path / "deep" / "tiny.engine"
    record = build_engine(source, out, options)
    assert out.stat().st_size > 100_000
    assert record == read_record(out)
    assert record.deployed == read_deployed(source)
    assert (record.deployed.precision, record.engine_sha256) == (precision, sha256(out))
    assert (record.source.onnx_sha256, record.source.version) == (sha256(source), trt.__version__)
    assert (record.source.gpu, record.source.compute_capability) == (None, options.compute_capability)
    assert [(tensor.name, tensor.role, tensor.type) for tensor in record.tensors] == [
        ("image", "input", "uint8"),
        ("boxes", "output", "float32"),
        ("scores", "output", "float32"),
        ("drivable", "output", "uint8"),
        ("drivable_mean", "output", "float32"),
        ("lane", "output", "uint8"),
        ("lane_mean", "output", "float32"),
    ]
    assert record.tensors[0].shape == (1, 64, 96, 3)
    assert "build tiny.engine: 100/100" in capsys.readouterr().err


def network(text: str, constants: dict[str, np.ndarray], path: Path, like: Path) -> Path:
    """A network with the metadata of another, for NVIDIA's parser to judge; ours would not write it."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 18]>\nnet {text}')
    for index, node in enumerate(model.graph.node):
        node.name = f"node{index}"
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    metadata = {entry.key: entry.value for entry in onnx.load(like).metadata_props}
    onnx.helper.set_model_props(model, {ONNX_METADATA_KEY: metadata[ONNX_METADATA_KEY]})
    onnx.save(model, path)
    return path


@pytest.fixture
def relu(files, tmp_path) -> Path:
    """A network that is built in no time."""
    return network("(float[1, 4] x) => (float[1, 4] y) { y = Relu (x) }", {}, tmp_path / "relu.onnx", files["fp32"])


def test_builds_again_only_when_something_changed(relu, tmp_path, monkeypatch):
    out = tmp_path / "relu.engine"
    builds = []
    monkeypatch.setattr(engine, "_parse", lambda *arguments, parse=engine._parse: builds.append(1) or parse(*arguments))

    def count(options=FOR_AMPERE, force=False) -> int:
        builds.clear()
        build_engine(relu, out, options, force)
        return len(builds)

    assert count() == 1
    assert count() == 0
    assert count(force=True) == 1
    assert count(RTX) == 1
    assert count(RTX) == 0
    assert count(Options("tensorrt-rtx", None, workspace_mib=256)) == 1
    assert count() == 1
    out.write_bytes(out.read_bytes()[:-1])
    assert count() == 1
    record_path(out).write_text("{}")
    assert count() == 1
    model = onnx.load(relu)
    model.producer_name = "another"
    onnx.save(model, relu)
    assert count() == 1
    assert count() == 0


@pytest.mark.parametrize(("option", "builds"), [((), 1), (("--force",), 2)])
def test_two_processes_take_turns_and_leave_a_pair(relu, tmp_path, option, builds):
    out = tmp_path / "relu.engine"
    command = [sys.executable, "-m", "export", "engine", str(relu), "--out", str(out), "--target", "tensorrt-rtx"]
    with alone(out):
        both = [subprocess.Popen([*command, *option], stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for process in both:
            assert "waiting for another process" in process.stderr.readline()
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("build relu.engine: 100/100" in lines for lines in said) == builds
    assert read_record(out).engine_sha256 == sha256(out)
    assert {path.name for path in tmp_path.iterdir()} == {"relu.onnx", "relu.engine", "relu.engine.json"}


def test_a_disk_that_fills_up_leaves_the_pair_that_was_there(relu, tmp_path, monkeypatch):
    out = tmp_path / "relu.engine"
    before = build_engine(relu, out, RTX)

    def fill_up(path, data):
        raise InputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(engine_file, "write_json", fill_up)
    with pytest.raises(InputError, match="No space left"):
        build_engine(relu, out, FOR_AMPERE)
    assert read_record(out) == before and sha256(out) == before.engine_sha256
    assert {path.name for path in tmp_path.iterdir()} == {"relu.onnx", "relu.engine", "relu.engine.json"}


# Runs ``python -m export``, and is killed by itself when the engine is to take its place.
KILLED = """
import os, runpy, signal, sys

def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(".engine"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
runpy.run_module("export", run_name="__main__")
"""


def test_a_build_killed_between_its_two_files_leaves_the_pair_that_was_there_and_is_done_again(relu, tmp_path):
    out = tmp_path / "relu.engine"
    before = build_engine(relu, out, RTX)
    command = ["engine", str(relu), "--out", str(out), "--target", "tensorrt-rtx", "--compute-capability", "8.6"]
    assert subprocess.run([sys.executable, "-c", KILLED, *command], check=False).returncode == -signal.SIGKILL
    assert json.loads(record_path(out).read_text())["compute_capability"] == "8.6"
    assert read_record(out) == before and sha256(out) == before.engine_sha256
    after = build_engine(relu, out, FOR_AMPERE)
    assert after.source.compute_capability == "8.6"
    assert read_record(out) == after and sha256(out) == after.engine_sha256
    assert {path.name for path in tmp_path.iterdir()} == {"relu.onnx", "relu.engine", "relu.engine.json"}


def test_command(files, tmp_path, capsys):
    out = tmp_path / "tiny.engine"
    arguments = ["engine", str(files["fp16"]), "--out", str(out), "--target", "tensorrt-rtx", "--workspace", "64"]
    assert main("test", "", [register_engine], [*arguments, "--compute-capability", "8.6"]) == 0
    printed = capsys.readouterr()
    assert f"{out}: yolop in FP16, tensorrt-rtx {trt.__version__} for compute capability 8.6" in printed.out
    assert json.loads(record_path(out).read_text())["workspace_mib"] == 64
    assert main("test", "", [register_engine], [*arguments, "--compute-capability", "8.6"]) == 0
    assert "is up to date" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--target", "tensorrt-rtx", "--compute-capability", "8.7"), "knows 7.5, 8.0, 8.6"),
        (("--compute-capability", "8.6"), "--target tensorrt-rtx takes it"),
        (("--compute-capability", "Orin"), "'Orin' is not a compute capability"),
        (("--workspace", "0"), "'0' is not a whole number"),
    ],
)
def test_bad_input_takes_one_line(files, tmp_path, arguments, fault, capsys):
    out = tmp_path / "x.engine"
    assert main("test", "", [register_engine], ["engine", str(files["fp32"]), "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert fault in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_engine_is_called_so(files, tmp_path, capsys):
    arguments = ["engine", str(files["fp32"]), "--out", str(tmp_path / "tiny.plan")]
    assert main("test", "", [register_engine], arguments) == 2
    assert "ends in .engine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "constants", "fault"),
    [
        (
            "(float[1, 5000] x) => (float[1, 4000] y, int64[1, 4000] i) { y, i = TopK (x, k) }",
            {"k": np.int64([4000])},
            "cannot build it: .*node0: K exceeds the maximum",
        ),
        (
            "(float[1, 9, 4] b, float[1, 1, 9] s) => (int64[N, 3] y) { y = NonMaxSuppression (b, s, k, t, t) }",
            {"k": np.int64([5]), "t": np.float32([0.5])},
            "cannot build it",
        ),
        (
            "(uint8[1, 4] x) => (uint8[1, 4] y) { a = Cast <to = 1> (x) b = Cast <to = 2> (a) y = Relu (b) }",
            {},
            "parser .*: Cast node1: ",
        ),
    ],
    ids=["TopK 4000", "NonMaxSuppression", "bytes inside"],
)
def test_what_is_not_allowed_at_export_is_refused_here_too(files, tmp_path, text, constants, fault):
    source = network(text, constants, tmp_path / "bad.onnx", files["fp32"])
    with pytest.raises(InputError, match=fault) as refused:
        build_engine(source, tmp_path / "bad.engine", RTX)
    assert str(refused.value).startswith(str(source)) and "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.onnx"]


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU here")
def test_without_a_gpu_there_are_no_layers_to_tell_of(files, tmp_path):
    told = []
    stale = tmp_path / "tiny.engine.layers.json"
    stale.write_text("{}")
    build_engine(files["fp32"], tmp_path / "tiny.engine", RTX, tell=told.append)
    assert "a GPU that runs the engine is needed" in told[0]
    assert not stale.exists()


@pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")
def test_where_there_is_a_gpu_times_and_layers_are_kept_beside_the_engine(relu, tmp_path, monkeypatch):
    # TensorRT-RTX in TensorRT's place, but for what loads the engine, which needs the GPU.
    inspector = SimpleNamespace(get_engine_information=lambda form: json.dumps({"form": form.name}))
    loaded = SimpleNamespace(create_engine_inspector=lambda: inspector)
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda content: loaded if bytes(content) else None)
    library = SimpleNamespace(**{**vars(trt), "Runtime": lambda logger: runtime})
    monkeypatch.setattr(engine, "load", lambda name, path: library)
    monkeypatch.setattr(engine, "find_gpu", lambda: Gpu("Orin", "8.7", 8))
    measured_before = []

    def load_timing(config, path, load=engine._load_timing):
        measured_before.append(path.exists())
        load(config, path)

    monkeypatch.setattr(engine, "_load_timing", load_timing)
    out = tmp_path / "relu.engine"
    for _ in range(2):
        source = build_engine(relu, out, force=True).source
    assert (source.library, source.gpu) == ("tensorrt", "Orin")
    assert (source.compute_capability, source.multiprocessors) == ("8.7", 8)
    assert json.loads(out.with_name("relu.engine.layers.json").read_text()) == {"form": "JSON"}
    assert measured_before == [False, True]
    assert out.with_name("relu.engine.timing").stat().st_size > 0


def test_times_that_the_library_refuses_give_way_to_none(tmp_path):
    path = tmp_path / "x.engine.timing"
    path.write_bytes(b"another GPU's")
    taken = []
    config = SimpleNamespace(
        create_timing_cache=lambda saved: f"cache of {len(saved)} bytes",
        set_timing_cache=lambda cache, ignore_mismatch: taken.append((cache, ignore_mismatch)) or len(taken) > 1,
    )
    engine._load_timing(config, path)
    assert taken == [("cache of 13 bytes", False), ("cache of 0 bytes", False)]


def test_networks_are_strongly_typed(relu):
    # TensorRT-RTX knows no other; TensorRT 10 would choose precisions by itself.
    asked = []
    journal = Journal(trt)
    builder = journal.start(trt.Builder, relu)
    noted = SimpleNamespace(create_network=lambda flags: asked.append(flags) or builder.create_network(flags))
    engine._parse(trt, noted, journal, relu)
    assert asked == [1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)]


def test_the_builder_is_told_how_much_memory_it_may_take_and_to_keep_the_names_of_layers():
    builder = trt.Builder(Journal(trt).logger)
    config = engine._configure(trt, builder, Options("tensorrt-rtx", None, workspace_mib=64))
    assert config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE) == 64 << 20
    assert config.profiling_verbosity == trt.ProfilingVerbosity.DETAILED


def test_files_of_another_tool_are_refused(tmp_path):
    source = tmp_path / "other.onnx"
    source.write_bytes(b"not a network")
    with pytest.raises(InputError, match=r"other\.onnx"):
        build_engine(source, tmp_path / "other.engine", RTX)


@pytest.mark.filterwarnings("ignore:.*Timing cache operations are no-ops:DeprecationWarning")
@pytest.mark.parametrize("before", [None, b"", b"another version's or another GPU's"])
def test_measured_times_are_kept_beside_the_engine(tmp_path, before):
    # TensorRT-RTX measures nothing, yet has the calls; that builds become quicker only a GPU can show.
    path = tmp_path / "x.engine.timing"
    if before is not None:
        path.write_bytes(before)
    builder = trt.Builder(Journal(trt).logger)
    for _ in range(2):
        config = builder.create_builder_config()
        engine._load_timing(config, path)
        engine._save_timing(config, path)
        assert path.stat().st_size > 0
