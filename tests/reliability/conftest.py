"""Real commands on tiny data, as processes that can be killed, and disks that can be full."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from perception import checkpoint
from perception.networks.yolop import YOLOP
from perception.synthetic import write

SIZE = (64, 96)


@dataclass
class Command:
    """A command that runs: its process, and what it wrote to the screen."""

    pid: int
    log: Path
    _wait: Callable[[], str]
    _status: int | None = None

    def end(self, sig: int) -> None:
        """Send a signal."""
        os.kill(self.pid, sig)

    @property
    def status(self) -> int:
        """Its exit status, negative where a signal killed it; waits for the end."""
        if self._status is None:
            self._status = int(self._wait())
        return self._status

    @property
    def lines(self) -> list[str]:
        """What it wrote, without its progress."""
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines() if " elapsed" not in line]


class Zygote:
    """Starts ``panoedge`` commands in a fraction of a second; one at a time."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._count = 0
        script = Path(__file__).with_name("zygote.py")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, *argv: object, file_limit: int | None = None) -> Command:
        """Start a command and go on."""
        self._count += 1
        log = self._folder / f"{self._count}.log"
        job = {"argv": [str(part) for part in argv], "log": str(log), "file_limit": file_limit}
        return Command(int(self._ask(json.dumps(job))), log, lambda: self._ask("wait"))

    def _ask(self, line: str) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def run(self, *argv: object, file_limit: int | None = None) -> Command:
        """Run a command to its end."""
        command = self.start(*argv, file_limit=file_limit)
        assert command.status is not None
        return command

    def kill_after(self, seconds: float, *argv: object) -> Command:
        """Run a command and kill it after so many seconds, unless it has ended by itself."""
        command = self.start(*argv)
        time.sleep(seconds)
        command.end(signal.SIGKILL)
        assert command.status is not None
        return command

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@pytest.fixture(scope="session")
def panoedge(tmp_path_factory):
    """Starts ``panoedge`` commands as processes."""
    zygote = Zygote(tmp_path_factory.mktemp("logs"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory) -> Path:
    """Eight training and three validation scenes of 64x96 pixels."""
    out = tmp_path_factory.mktemp("data") / "scenes"
    write(out, 8, 3, size=SIZE, workers=1)
    return out


@pytest.fixture(scope="session")
def teacher(tmp_path_factory) -> Path:
    """An untrained network's checkpoint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("networks") / "teacher.safetensors"
    checkpoint.save(path, YOLOP(width=0.25, size=SIZE), [])
    return path


@pytest.fixture(scope="session")
def exported(panoedge, teacher, tmp_path_factory) -> Path:
    """Its ONNX file."""
    path = tmp_path_factory.mktemp("networks") / "exported.onnx"
    assert panoedge.run("export", "onnx", teacher, "--out", path).status == 0
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint."""
    return checkpoint.load(path).network.state_dict()


@pytest.fixture
def same_weights():
    """Whether two checkpoints hold the same tensors, bit by bit."""

    def compare(first: Path, second: Path) -> bool:
        one, other = weights(first), weights(second)
        return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())

    return compare


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a disk of so many KiB; needs the right to mount."""
    mounted = []

    def make(kib: int, options: str = "") -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k{options}", "tmpfs", str(folder)], capture_output=True
        )
        if done.returncode:
            pytest.skip("needs the right to mount a small disk")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
