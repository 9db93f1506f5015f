"""Which pictures an export looks at."""

import cv2
import numpy as np
import pytest

from perception.pictures import SCENES, look_at


@pytest.fixture
def folder(tmp_path):
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), 10 * number, np.uint8))
    return tmp_path


def greys(images, most):
    return [round(float(image.mean()) / 10) for image in look_at(images, most)]


@pytest.mark.parametrize(
    ("most", "seen"),
    [(3, [0, 4, 8]), (4, [0, 3, 6, 9]), (6, [0, 2, 4, 6, 8]), (10, list(range(10))), (99, list(range(10)))],
)
def test_a_folder_is_looked_at_from_end_to_end(folder, most, seen):
    assert greys(folder, most) == seen


def test_what_is_passed_over_is_not_read(folder):
    (folder / "1.png").write_bytes(b"nothing")
    assert greys(folder, 5) == [0, 2, 4, 6, 8]


def test_one_picture(folder):
    assert greys(folder / "7.png", 3) == [7]


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_video(tmp_path, monkeypatch, length):
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 64))
    for number in range(9):
        writer.write(np.full((64, 64, 3), 10 * number, np.uint8))
    writer.release()
    if length == "unknown":
        monkeypatch.setattr("perception.pictures.number_of_pictures", lambda path: None)
    assert greys(path, 3) == ([0, 3, 6] if length == "known" else [0, 1, 2])


def test_scenes_where_there_is_nothing_else():
    assert len(list(look_at(None, 99))) == SCENES
