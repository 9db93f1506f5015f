"""Two real processes, started by torchrun, against one."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from compress.data import Frames, Source
from compress.device import choose
from compress.order import Shuffled
from compress.processes import Share, joined, own_gpu, share
from perception.errors import InputError
from perception.spec import InputSpec

WORK = Path(__file__).with_name("joint_work.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def torchrun(*arguments) -> subprocess.CompletedProcess:
    """Run two processes to their end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [*TORCHRUN, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def twice(dataset, network_file, tmp_path_factory):
    """Folders with what two processes found, and what one did; and what the two said."""
    two, one = tmp_path_factory.mktemp("two"), tmp_path_factory.mktemp("one")
    done = torchrun(WORK, dataset, network_file, two)
    assert done.returncode == 0, done.stderr
    runpy.run_path(str(WORK))["work"](dataset, network_file, one)
    return two, one, done


@pytest.mark.parametrize("name", ["weights", "signed", "taylor", "statistics", "gradients"])
def test_two_processes_find_what_one_finds(twice, name):
    two, one = (load_file(folder / f"{name}.safetensors") for folder in twice[:2])
    # Torch-Pruning's adds up float32 gradients, in another order.
    limit = 1e-5 if name == "taylor" else 1e-6
    assert two.keys() == one.keys() and len(two) > 20
    for key, value in one.items():
        assert float((two[key] - value).abs().max()) <= limit * float(value.abs().max()), key


def test_one_process_speaks_and_writes(twice):
    two, _, done = twice
    # Some torch releases announce the connection there, both processes at once: line ends may follow each other.
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("[Gloo]")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "done by 0"]
    assert [line for line in done.stderr.splitlines() if line.startswith("step")] == [
        line
        for line in done.stderr.splitlines()
        if line.startswith("step 2 left out: drivable loss nan, frames drawn/")
    ]
    assert "Warning" not in done.stderr
    assert sum(line.startswith("training:") for line in done.stderr.splitlines()) == 4
    assert len(list((two / "trained.log").iterdir())) == 1


def test_a_process_that_fails_ends_all_with_its_line(dataset, tmp_path):
    root = shutil.copytree(dataset, tmp_path / "broken")
    frames = Frames([Source(root)], "train", InputSpec((64, 96)))
    ((_, victim), *_), *_ = Shuffled(frames.groups, 6, 0, Share(1, 2))
    (root / "images/train" / f"{frames[0, victim].name.split('/')[1]}.jpg").write_bytes(b"nothing")
    out = tmp_path / "out.safetensors"
    arguments = ["--width", 0.25, "--size", "64x96", "--data", root, "--batch", 6, "--epochs", 2, "--device", "cpu"]
    done = torchrun("-m", "panoedge", "train", *arguments, "--out", out)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("panoedge:")]
    assert ".jpg: cannot be decoded" in line
    assert "exitcode  : 2" in done.stderr
    assert not out.exists()


def test_a_process_on_its_own_is_all():
    with joined():
        assert share() == Share(0, 1) and share().first


def test_parts_are_of_one_size_and_none_is_done_twice():
    parts = [Share(rank, 3).of(np.arange(11)).tolist() for rank in range(3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    dealt = [list(Share(rank, 3).dealt(iter(range(11)))) for rank in range(3)]
    assert sorted(item for part in dealt for item in part) == list(range(11)) and dealt[2] == [2, 5, 8]


def test_every_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: None)
    monkeypatch.setattr("compress.device.share", lambda: Share(1, 3))
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert str(choose("cuda", "fp32").device) == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="2 GPUs for 3 processes"):
        own_gpu()
