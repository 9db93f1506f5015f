"""The example of docs/bring-your-own-network.md runs as it is printed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from export.engine import Options, build_engine
from perception import checkpoint
from perception.synthetic import write
from runtime.backends import open_backend

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bring-your-own-network.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's two files, beside a data set of a few scenes."""
    folder = tmp_path_factory.mktemp("example")
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for name, block in zip(("my_network.py", "road.py"), blocks, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    write(folder / "scenes", train=8, val=2, size=(192, 320), workers=1)
    return folder


def run(folder, *arguments):
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


def test_the_example_goes_the_whole_road(folder):
    done = run(folder, "road.py")
    assert done.returncode == 0, done.stderr

    header = checkpoint.read_header(folder / "student.safetensors")
    assert [stage["stage"] for stage in header["history"]] == ["train", "prune", "distill"]
    assert header["history"][1]["kept"]["params"] == pytest.approx(0.6, abs=0.01)

    with open_backend(folder / "student.onnx", "cpu") as backend:
        assert backend.info.network == "my-network"
        assert f"{backend.info.parameters} weights" in done.stdout
        assert backend.info.spec.tasks == ("drivable", "lane")


@pytest.mark.parametrize("capability", [None, "8.6"])
def test_nvidias_parser_and_builder_accept_the_exported_file(folder, tmp_path, capability):
    pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    record = build_engine(folder / "student.onnx", tmp_path / "x.engine", Options("tensorrt-rtx", capability))
    assert record.deployed.network == "my-network"
    assert "boxes" not in [tensor.name for tensor in record.tensors]


def test_the_exported_file_is_measured_without_the_users_file(folder):
    bench = ["-m", "runtime", "bench", "student.onnx", "--data", "scenes", "--seconds", "0.1", "--json", "bench.json"]
    done = run(folder, *bench)
    assert done.returncode == 0, done.stderr
    assert "drivable mIoU" in done.stdout and "recall" not in done.stdout
    report = json.loads((folder / "bench.json").read_text())
    assert report["models"][0]["metrics"].keys() >= {"drivable", "lane"}
    assert "detection" not in report["models"][0]["metrics"]

    painted = ["run", "student.onnx", "--source", "scenes/images/val", "--out", "seen"]
    for command in (painted, ["report", "bench.json", "--out", "report"]):
        done = run(folder, "my_network.py", *command)
        assert done.returncode == 0, done.stderr
    assert len(list((folder / "seen").iterdir())) == 2
    assert "drivable mIoU" in (folder / "report" / "report.html").read_text(encoding="utf-8")


def test_the_file_is_the_command_line_that_knows_it(folder):
    pytest.importorskip("panoedge.cli")
    done = run(folder, "my_network.py", "train", "--network", "nobody", "--data", "scenes", "--out", "out.safetensors")
    assert done.returncode == 2
    assert "my-network" in done.stderr
