"""Scenes on disk: the YOLOP layout, whole or not at all, whatever the number of processes."""

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.data import open_dataset
from perception.errors import InputError
from perception.files import read_json
from perception.synthetic import render, write

SIZE = (96, 160)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "scenes"
    write(out, 5, 2, seed=3, size=SIZE, workers=1)
    return out


def test_the_ordinary_reader_reads_it(folder):
    for split, index, count in (("train", 0, 5), ("val", 1, 2)):
        dataset = open_dataset(folder, split)
        assert len(dataset) == count
        for number, sample in enumerate(dataset):
            scene = render((3, index, number), SIZE)
            np.testing.assert_array_equal(sample.boxes, scene.vehicles)
            np.testing.assert_array_equal(sample.drivable, scene.drivable)
            np.testing.assert_array_equal(sample.lane, scene.lane)
            # JPEG loses a little.
            assert np.abs(sample.image.astype(int) - scene.image).mean() < 8


def test_labels_are_bdd100ks(folder):
    label = read_json(folder / "det_annotations" / "val" / "val-000000.json")
    scene = render((3, 1, 0), SIZE)
    assert label["name"] == "val-000000"
    (frame,) = label["frames"]
    assert [item["category"] for item in frame["objects"]] == list(scene.categories)
    boxes = [[item["box2d"][key] for key in ("x1", "y1", "x2", "y2")] for item in frame["objects"]]
    np.testing.assert_array_equal(np.reshape(boxes, (-1, 4)), scene.boxes)
    mask = cv2.imread(str(folder / "ll_seg_annotations" / "val" / "val-000000.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == SIZE
    assert set(np.unique(mask)) <= {0, 255}


def test_the_number_of_processes_changes_nothing(folder, tmp_path):
    write(tmp_path / "again", 5, 2, seed=3, size=SIZE, workers=2)
    assert contents(tmp_path / "again") == contents(folder)


def test_more_scenes_leave_the_first_as_they_are(folder, tmp_path):
    write(tmp_path / "fewer", 2, 0, seed=3, size=SIZE, workers=1)
    everything = contents(folder)
    assert all(everything[name] == data for name, data in contents(tmp_path / "fewer").items())


def test_splits_and_seeds_share_no_scene(folder, tmp_path):
    write(tmp_path / "other", 5, 2, seed=4, size=SIZE, workers=1)
    pictures = [data for root in (folder, tmp_path / "other") for data in contents(root / "images").values()]
    assert len(set(pictures)) == 14


def test_an_empty_folder_may_be_filled_and_a_full_one_is_refused(folder, tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    write(out, 1, 0, size=SIZE, workers=1)
    before = contents(out)
    with pytest.raises(InputError, match="not an empty folder"):
        write(out, 1, 0, size=SIZE, workers=1)
    assert contents(out) == before


@pytest.mark.parametrize(
    "wrong", [{"train": -1}, {"train": 0, "val": 0}, {"seed": -1}, {"workers": 0}, {"size": (100, 100)}]
)
def test_numbers_that_make_no_sense(tmp_path, wrong):
    numbers = {"train": 1, "val": 1, "size": SIZE, **wrong}
    with pytest.raises(InputError):
        write(tmp_path / "out", **numbers)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_it_fails(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perception.synthetic.writing._encode", fail)
    with pytest.raises(InputError, match="No space left"):
        write(tmp_path / "out", 1, 0, size=SIZE, workers=1)
    assert not list(tmp_path.iterdir())


def killed(job):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_ends_it_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("perception.synthetic.writing._render_and_save", killed)
    with pytest.raises(InputError, match="a process that draws scenes was killed; fewer --workers"):
        write(tmp_path / "out", 9, 0, size=SIZE, workers=2)
    assert not list(tmp_path.iterdir())


def test_progress_is_reported(tmp_path, capsys):
    write(tmp_path / "out", 2, 0, size=SIZE, workers=1)
    assert "scenes: 2/2" in capsys.readouterr().err
