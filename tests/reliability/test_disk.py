"""Disks that are full, read-only or gone: one line, status 2, the previous good file intact, nothing temporary left."""

import json
import shutil
import subprocess
import time

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from fuzz.records import REPORT
from perception.errors import InputError
from perception.files import atomic, write_text
from perception.synthetic import write

TRAIN = ["--size", "64x96", "--width", 0.25, "--batch", 2, "--device", "cpu", "--precision", "fp32"]


def refused(command, words):
    """The one line of a command that could not write."""
    assert command.status == 2
    (line,) = command.lines
    assert line.startswith("panoedge: ") and words in line, line
    return line


def hidden(folder):
    return [path.name for path in folder.rglob(".*")]


def test_a_file_that_does_not_fit_leaves_the_old_one(small_disk):
    disk = small_disk(64)
    write_text(disk / "report.json", "old")
    with pytest.raises(InputError, match=r"report\.json: cannot be written \(No space left on device\)"):
        write_text(disk / "report.json", "x" * 100_000)
    assert (disk / "report.json").read_text() == "old"
    assert [path.name for path in disk.iterdir()] == ["report.json"]


def test_scenes_that_do_not_fit(small_disk):
    disk = small_disk(128)
    with pytest.raises(InputError, match=r"scenes: cannot be written \(No space left"):
        write(disk / "scenes", 30, 0, size=(64, 96), workers=1)
    assert not list(disk.iterdir())


def test_a_checkpoint_that_does_not_fit(panoedge, scenes, teacher, small_disk):
    disk = small_disk(600)
    out = disk / "pruned.safetensors"
    out.write_bytes(b"old")
    prune = ["prune", teacher, "--data", scenes, "--budget", "params=0.9", "--calibration", 2, "--rounds", 1]
    refused(panoedge.run(*prune, "--device", "cpu", "--out", out), "No space left on device")
    assert out.read_bytes() == b"old"
    assert not hidden(disk)


def test_training_keeps_its_last_state(panoedge, scenes, small_disk):
    # The states are as large as each other: there is room for one and a half.
    disk = small_disk(14_000)
    argv = ["train", "--data", scenes, *TRAIN, "--epochs", 40, "--validate-every", 0, "--resume"]
    command = panoedge.run(*argv, "--out", disk / "out.safetensors")
    refused(command, "out.state.safetensors: cannot be written")
    assert (disk / "out.state.safetensors").exists()
    assert not hidden(disk)
    assert load_file(disk / "out.state.safetensors")


def test_training_on_a_disk_that_is_full(panoedge, scenes, small_disk):
    disk = small_disk(64)
    (disk / "filler").write_bytes(bytes(64 * 1024))
    command = panoedge.run("train", "--data", scenes, *TRAIN, "--epochs", 1, "--out", disk / "out.safetensors")
    refused(command, "out.log: cannot be written (No space left on device)")
    assert not hidden(disk)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of some frames."""
    path = tmp_path_factory.mktemp("film") / "drive.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (96, 64))
    rng = np.random.default_rng(0)
    for _ in range(10):
        film.write(rng.integers(0, 256, (64, 96, 3), np.uint8))
    film.release()
    return path


WRITERS = {
    "export onnx": (["export", "onnx", "TEACHER", "--out", "DISK/out.onnx"], "out.onnx"),
    "run, pictures": (["run", "MODEL", "--source", "SCENES/images/val", "--out", "DISK"], "val-000000.jpg"),
    "run, a picture": (
        ["run", "MODEL", "--source", "SCENES/images/val/val-000000.jpg", "--out", "DISK/a.png"],
        "a.png",
    ),
    "run, a video": (["run", "MODEL", "--source", "FILM", "--out", "DISK/out.mp4"], "out.mp4"),
    "bench": (["bench", "MODEL", "--seconds", 0.1, "--count", 2, "--json", "DISK/out.json"], "out.json"),
    "bench, overlays": (
        ["bench", "MODEL", "--seconds", 0.1, "--count", 2, "--overlays", 1, "--json", "DISK/out.json"],
        "out.json",
    ),
    "evaluate": (["evaluate", "MODEL", "--data", "SCENES", "--json", "DISK/out.json"], "out.json"),
    "data check": (["data", "check", "SCENES", "--json", "DISK/out.json"], "out.json"),
    "estimate": (["estimate", "MODEL", "--device", "orin-nano", "--json", "DISK/out.json"], "out.json"),
    "report": (["report", "REPORT", "--out", "DISK"], "report.html"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_on_a_disk_that_is_full_or_read_only(
    panoedge, scenes, teacher, exported, film, small_disk, tmp_path, name
):
    disk = small_disk(64)
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    places = {"DISK": disk, "SCENES": scenes, "TEACHER": teacher, "MODEL": exported, "FILM": film}
    places["REPORT"] = tmp_path / "report.json"
    argv, target = WRITERS[name]
    parts = [str(part).partition("/") for part in argv]
    argv = [places[first] / rest if first in places else f"{first}{slash}{rest}" for first, slash, rest in parts]
    old = disk / target
    old.write_text("old")
    (disk / "filler").write_bytes(bytes(58 * 1024))
    for words in ("No space left on device", "Read-only file system"):
        command = panoedge.run(*argv)
        assert command.status == 2
        assert words in command.lines[-1] and command.lines[-1].startswith(f"panoedge: {disk}"), command.lines
        assert not any("Traceback" in line for line in command.lines)
        files = {path.name: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
        assert files.keys() == {"filler", target} and files[target] == b"old"
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def test_a_video_that_does_not_fit(panoedge, exported, film, small_disk):
    disk = small_disk(12)
    (disk / "out.mp4").write_text("old")
    command = panoedge.run("run", exported, "--source", film, "--out", disk / "out.mp4")
    assert command.status == 2
    assert "out.mp4: no whole video came about; did the source give frames, is the disk full?" in command.lines[-1]
    assert [path.name for path in disk.iterdir()] == ["out.mp4"] and (disk / "out.mp4").read_text() == "old"


def test_a_limit_on_the_size_of_files(panoedge, scenes, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"old")
    command = panoedge.run("train", "--data", scenes, *TRAIN, "--epochs", 1, "--out", out, file_limit=200_000)
    refused(command, "File too large")
    assert out.read_bytes() == b"old"
    assert not hidden(tmp_path)


def test_a_disk_that_is_read_only(panoedge, scenes, teacher, small_disk):
    disk = small_disk(64, ",ro")
    words = "Read-only file system"
    refused(panoedge.run("train", "--data", scenes, *TRAIN, "--out", disk / "out.safetensors"), words)
    refused(panoedge.run("export", "onnx", teacher, "--out", disk / "new" / "out.onnx"), words)
    refused(panoedge.run("data", "synthesize", disk / "scenes", "--train", 1, "--val", 1), words)


def test_a_folder_removed_while_training_is_made_again(panoedge, scenes, tmp_path):
    out = tmp_path / "runs" / "out.safetensors"
    command = panoedge.start("train", "--data", scenes, *TRAIN, "--epochs", 4, "--validate-every", 0, "--out", out)
    while not list(out.parent.glob("*.state.safetensors")):
        time.sleep(0.05)
    shutil.rmtree(out.parent, ignore_errors=True)
    assert command.status == 0
    assert out.exists()


def test_a_folder_removed_while_a_file_is_written(tmp_path):
    target = tmp_path / "runs" / "out"
    with pytest.raises(InputError, match=r"runs/out: cannot be written \(No such file"), atomic(target) as temporary:
        temporary.write_text("new")
        shutil.rmtree(target.parent)
    assert not list(tmp_path.iterdir())
