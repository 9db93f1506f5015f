"""The whole program: what it lists, how it ends, and what it says where something is missing or wrong."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from panoedge.cli import main

ROOT = Path(__file__).parents[2]
ROAD = ("demo", "data", "train", "prune", "distill", "compress")
COMMANDS = (*ROAD, "info", "evaluate", "export", "bench", "run", "report")
# All that the base dependencies do not bring.
OPTIONAL = ("torch", "torch_pruning", "safetensors", "tensorboard", "onnx", "onnx_ir", "onnxscript", "onnxsim")
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from panoedge.cli import main
sys.exit(main(sys.argv[1:]))
"""


def panoedge(*argv: object) -> int:
    return main([str(argument) for argument in argv])


def bare(*argv: object, cwd: Path) -> subprocess.CompletedProcess:
    """The program in an interpreter that does not find the optional libraries."""
    command = [sys.executable, "-c", WITHOUT.format(names=(*OPTIONAL, "onnxruntime")), *map(str, argv)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_help_lists_every_command(capsys):
    assert panoedge("--help") == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")}
    assert set(COMMANDS) <= listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    assert panoedge(command, "--help") == 0
    assert f"usage: panoedge {command}" in capsys.readouterr().out


def test_usage_faults_end_with_status_2(capsys):
    for argv in ((), ("fly",), ("data",), ("evaluate",)):
        assert panoedge(*argv) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_python_dash_m(tmp_path):
    command = [sys.executable, "-m", "panoedge", "info", "absent.onnx"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (2, "panoedge: absent.onnx: no such file\n")


def test_help_needs_the_base_dependencies_alone(tmp_path):
    done = bare("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("argv", "group"),
    [
        (("train", "--data", "scenes", "--out", "out.safetensors"), "compress"),
        (("info", "model.safetensors"), "compress"),
        (("evaluate", "model.safetensors", "--data", "scenes"), "compress"),
        (("export", "onnx", "model.safetensors", "--out", "out.onnx"), "export"),
    ],
)
def test_a_missing_group_is_named(tmp_path, argv, group):
    (tmp_path / "model.safetensors").write_bytes(b"")
    done = bare(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"pip install 'panoedge[{group}]'" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.fixture
def bad(tmp_path, dataset, checkpoint_file) -> dict[str, Path]:
    """Inputs by name, most of them broken, in a folder of their own."""
    folder = tmp_path / "inputs"
    (folder / "empty").mkdir(parents=True)
    half = _copy(dataset, folder / "half", lambda file: file.parts[-3] != "images")
    maskless = _copy(
        dataset, folder / "maskless", lambda file: file.parts[-3:] == ("ll_seg_annotations", "val", "a.png")
    )
    torn = _copy(dataset, folder / "torn")
    picture = torn / "images" / "val" / "a.jpg"
    picture.write_bytes(picture.read_bytes()[:-40])
    imageless = _copy(dataset, folder / "imageless", lambda file: file.parts[-3:-1] == ("images", "val"))
    cut, pickled, text = (folder / f"{name}.safetensors" for name in ("cut", "pickled", "text"))
    cut.write_bytes(checkpoint_file.read_bytes()[:-1000])
    pickled.write_bytes(pickle.dumps({"weights": [1.0]}, protocol=2))
    text.write_text("not a checkpoint at all")
    return {
        "DATA": dataset,
        "CHECKPOINT": checkpoint_file,
        "EMPTY": folder / "empty",
        "HALF": half,
        "MASKLESS": maskless,
        "IMAGELESS": imageless,
        "TORN": torn,
        "CUT": cut,
        "PICKLED": pickled,
        "TEXT": text,
        "CLOSED": text / "below",
    }


def _copy(source: Path, target: Path, leave_out=lambda file: False) -> Path:
    for file in filter(Path.is_file, source.rglob("*")):
        if not leave_out(file):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return target


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("evaluate CHECKPOINT --data EMPTY", "empty: not a data set"),
        ("train --data EMPTY --out OUT/net.safetensors", "empty: not a data set"),
        ("evaluate CHECKPOINT --data HALF", "half: half a data set of the yolop layout, missing: det_annotations/"),
        ("evaluate CHECKPOINT --data MASKLESS", "ll_seg_annotations/val/a.png: missing"),
        ("evaluate CHECKPOINT --data IMAGELESS", "imageless: half a data set of the yolop layout, missing: images/val"),
        ("data check EMPTY", "empty: not a data set"),
        ("evaluate CHECKPOINT --data TORN --json OUT/metrics.json", "a.jpg: the end of this JPEG is missing"),
        ("run CHECKPOINT --source DATA/images/val --out OUT/seen", "panoedge export onnx"),
        ("info CUT", "cut.safetensors: damaged checkpoint"),
        ("evaluate CUT --data DATA", "cut.safetensors: damaged checkpoint"),
        ("train --start CUT --data DATA --out OUT/net.safetensors", "cut.safetensors: damaged checkpoint"),
        ("export onnx CUT --out OUT/net.onnx", "cut.safetensors: damaged checkpoint"),
        ("info PICKLED", "pickled.safetensors: not a panoedge checkpoint"),
        ("evaluate PICKLED --data DATA", "a pickle"),
        ("export onnx PICKLED --out OUT/net.onnx", "a pickle"),
        ("info TEXT", "text.safetensors: not a panoedge checkpoint"),
        ("prune CHECKPOINT --data DATA --budget params=1.5 --out OUT/net.safetensors", "must lie between 0 and 1"),
        ("compress CHECKPOINT --data DATA --budget params=0 --out OUT/net.safetensors", "must lie between 0 and 1"),
        ("prune CHECKPOINT --data DATA --budget half --out OUT/net.safetensors", "a share, such as params=0.673"),
        ("distill CHECKPOINT --teacher PICKLED --data DATA --out OUT/net.safetensors", "a pickle"),
        ("train --size 100x96 --data DATA --out OUT/net.safetensors", "100x96 (HxW): both sides"),
        ("train --size big --data DATA --out OUT/net.safetensors", "expected HEIGHTxWIDTH"),
        ("export onnx CHECKPOINT --size 64x100 --out OUT/net.onnx", "64x100 (HxW): both sides"),
        ("train --data DATA --out CLOSED/net.safetensors", "cannot be written"),
        ("evaluate CHECKPOINT --data DATA --json CLOSED/metrics.json", "cannot be written"),
        ("export onnx CHECKPOINT --out CLOSED/net.onnx", "cannot be written"),
        ("data synthesize CLOSED/scenes --train 1 --val 1", "cannot be written"),
        ("report TEXT --out OUT/report", "text.safetensors: not valid JSON"),
    ],
)
def test_bad_input_is_one_line_status_2_and_nothing_written(bad, tmp_path, capfd, line, fault):
    out = tmp_path / "out"
    out.mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert panoedge(*(_filled(word, {**bad, "OUT": out}) for word in line.split())) == 2
    errors = [text for text in capfd.readouterr().err.splitlines() if text.startswith("panoedge")]
    assert len(errors) == 1
    assert fault in errors[0]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "line", ["info OTHER", "evaluate OTHER --data DATA", "bench OTHER", "run OTHER --source a --out b"]
)
def test_onnx_of_another_tool(dataset, tmp_path, capsys, line):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "other", ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "other.onnx")
    names = {"OTHER": tmp_path / "other.onnx", "DATA": dataset, "a": dataset / "images" / "val"}
    assert panoedge(*(_filled(word, names) for word in line.split())) == 2
    captured = capsys.readouterr()
    assert "other.onnx: not written by this project" in captured.err
    assert captured.err.count("\n") == 1


def _filled(word: str, names: dict[str, Path]) -> str:
    name, slash, rest = word.partition("/")
    return f"{names[name]}{slash}{rest}" if name in names else word
