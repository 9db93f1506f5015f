"""The board's view: an interpreter that finds NumPy, OpenCV, ONNX Runtime and two rooms of this project, no more."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "cv2", "onnxruntime")
ROOMS = ("perception", "runtime")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Runs Python with a folder of links as its only packages, and returns the finished process."""
    site = tmp_path_factory.mktemp("site")
    for library in LIBRARIES:
        spec = find_spec(library)
        if spec is None:
            pytest.skip(f"needs {library}")
        package = Path(spec.origin).parent
        (site / library).symlink_to(package)
        # Wheels keep their shared libraries in a folder beside the package.
        for beside in package.parent.glob("*.libs"):
            if not (site / beside.name).exists():
                (site / beside.name).symlink_to(beside)
    for room in ROOMS:
        (site / room).symlink_to(ROOT / room)

    def run(*argv, cwd):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-S", *map(str, argv)]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_the_environment_is_bare(board, tmp_path):
    names = ("torch", "onnx", "safetensors", "compress", "export", "panoedge", *LIBRARIES, *ROOMS)
    code = f"from importlib.util import find_spec; print([name for name in {names} if find_spec(name)])"
    assert board("-c", code, cwd=tmp_path).stdout == f"{[*LIBRARIES, *ROOMS]}\n"


def test_info(board, network, tmp_path):
    done = board("-m", "runtime", "info", network, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "known, fp32" in done.stdout


def test_evaluate(board, network, dataset, tmp_path):
    done = board("-m", "runtime", "evaluate", network, "--data", dataset, "--json", "metrics.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "metrics.json").read_text())["drivable"]["mIoU"] == pytest.approx(1)


def test_bench(board, network, tmp_path):
    quick = ("--seconds", "0.05", "--count", "5")
    done = board("-m", "runtime", "bench", network, "--min-fps", "1e9", "--json", "report.json", *quick, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "gate failed" in done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["models"][0]["speed"]["stream"]["fps"] > 0


def test_run(board, network, dataset, tmp_path):
    source = dataset / "images" / "val"
    done = board("-m", "runtime", "run", network, "--source", source, "--out", "seen", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "seen").iterdir())) == 3
