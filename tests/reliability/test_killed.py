"""SIGKILL at any moment: every file whole or absent, and the run that follows ends as if nothing had happened.

``PANOEDGE_KILLS=6 pytest -s tests/reliability/test_killed.py`` is the recorded campaign: that many kills of each
command. Moments are drawn from a seed over the time that the command takes undisturbed.
"""

import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from safetensors import safe_open

from perception import checkpoint
from perception.data.check import check

KILLS = int(os.environ.get("PANOEDGE_KILLS", "0"))
TRAINING = ["--epochs", 6, "--batch", 2, "--device", "cpu", "--precision", "fp32", "--validate-every", 0]
# What runs among the other tests, and how often it is killed there.
ALWAYS = {"train": 2, "compress": 1, "data synthesize": 1}

# Whose files tell, weights apart, how long things took.
TIMED = ("bench", "ablate")


def commands(scenes: Path, teacher: Path, model: Path) -> dict[str, tuple[list[object], str]]:
    """By name, each command and the last file or folder that it writes; ``OUT`` stands where the output belongs."""
    rmt = ["--network", "rmt-ppad", "--width", 0.25, "--depth", 0.34]
    train = ["train", "--data", scenes, "--size", "64x96", *TRAINING, "--resume", "--out", "OUT"]
    distill = ["distill", teacher, "--teacher", teacher, "--data", scenes, *TRAINING, "--resume", "--out", "OUT"]
    once = ["--epochs", 1, *TRAINING[2:], "--budget", "params=0.7", "--calibration", 8]
    compress = ["compress", teacher, "--data", scenes, *once, "--resume", "--out", "OUT"]
    one = ["--methods", "safe", "--contenders", "safe", "--shares", 0.7, "--recovery-shares", 0.7]
    ablate = ["ablate", teacher, "--data", scenes, "--quick", *one, "--frames", 3, "--device", "cpu", "--out", "OUT"]
    budget = ["--budget", "params=0.7", "--calibration", 8, "--rounds", 2, "--device", "cpu"]
    bench = ["bench", model, "--seconds", 0.5, "--count", 5, "--data", scenes, "--json", "OUT"]
    return {
        "train": ([*train, "--width", 0.25], "out.safetensors"),
        "train, 2 workers": ([*train, "--width", 0.25, "--workers", 2], "out.safetensors"),
        "train rmt-ppad": ([*train, *rmt], "out.safetensors"),
        "distill": (distill, "out.safetensors"),
        "prune": (["prune", teacher, "--data", scenes, *budget, "--out", "OUT"], "out.safetensors"),
        "compress": (compress, "out.safetensors"),
        "ablate": (ablate, "ablation/summary.md"),
        "data synthesize": (["data", "synthesize", "OUT", "--train", 20, "--val", 8, "--size", "96x64"], "scenes"),
        "export onnx": (["export", "onnx", teacher, "--out", "OUT"], "out.onnx"),
        "bench": (bench, "out.json"),
    }


def whole(folder: Path) -> list[str]:
    """Names of what lies in ``folder``, all of which is whole; logs may lack their end."""
    there = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.suffix != ".log"]
    for path in there:
        if path.name.endswith(".state.safetensors"):
            with safe_open(path, framework="pt") as file:
                assert [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118 - not a mapping
        elif path.suffix == ".safetensors":
            checkpoint.load(path)
        elif path.suffix == ".onnx":
            onnx.checker.check_model(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".svg":
            ElementTree.parse(path)
        elif path.suffix in (".md", ".csv"):
            assert path.read_text().endswith("\n")
        elif path.name == "scenes":
            result = check(path)
            assert not result.faults and [split.frames for split in result.splits] == [20, 8]
        else:
            whole(path)
    return [path.name for path in there]


def contents(folder: Path, suffix: str) -> dict[str, bytes]:
    """By path, all files whose names end so but logs, whose names tell the time."""
    files = [file for file in sorted(folder.rglob(f"*{suffix}")) if file.is_file() and ".log" not in str(file)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("name", commands(Path(), Path(), Path()))
def test_killed(name, panoedge, scenes, teacher, tmp_path, same_weights, request):
    kills = KILLS or ALWAYS.get(name, 0)
    if not kills:
        pytest.skip("of the campaign: set PANOEDGE_KILLS")
    model = request.getfixturevalue("exported") if name == "bench" else Path()
    argv, last = commands(scenes, teacher, model)[name]
    folder, killed = tmp_path / "undisturbed", tmp_path / "killed"
    own = Path(last).parts[0]
    began = time.monotonic()
    assert panoedge.run(*(folder / own if part == "OUT" else part for part in argv)).status == 0
    seconds = undisturbed = time.monotonic() - began
    argv = [killed / own if part == "OUT" else part for part in argv]
    rng = np.random.default_rng(list(name.encode()))
    killed.mkdir()
    found = []
    while len(found) < kills:
        status = panoedge.kill_after(rng.uniform(0, seconds), *argv).status
        left = whole(killed)
        if (killed / last).exists():  # quicker than before; what is finished does not count and must not be in the way
            seconds *= 0.8
            for path in killed.iterdir():
                path.rename(tmp_path / f"done-{len(list(tmp_path.iterdir()))}")
        else:
            assert status == -9
            found.append((left, len(list(killed.rglob(".*.part")))))
    assert panoedge.run(*argv).status == 0
    assert not list(killed.rglob(".*"))
    assert whole(killed) == whole(folder)
    made, expected = (contents(each, ".safetensors" if name in TIMED else "") for each in (killed, folder))
    assert made.keys() == expected.keys()
    for file in made:
        if file.endswith(".safetensors"):
            assert same_weights(killed / file, folder / file)
        else:
            assert made[file] == expected[file]
    print(f"\n{name}: undisturbed {undisturbed:.1f} s, {kills} kills, left: {found}")
