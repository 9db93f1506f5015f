from itertools import islice

import cv2
import numpy as np
import pytest

from perception.errors import InputError
from runtime.sources import drawn_source, open_source


@pytest.fixture
def folder(tmp_path):
    for name, level in (("b.png", 200), ("a.jpg", 50)):
        cv2.imwrite(str(tmp_path / name), np.full((20, 30, 3), level, np.uint8))
    return tmp_path


def test_folder(folder):
    source = open_source(str(folder))
    assert (source.kind, source.fps, source.count) == ("folder", None, 2)
    assert [frame.name for frame in source.frames()] == ["a", "b"]
    assert [frame.name for frame in islice(source.endless(), 5)] == ["a", "b", "a", "b", "a"]


def test_picture(folder):
    source = open_source(str(folder / "b.png"))
    assert (source.kind, source.count) == ("picture", 1)
    (frame,) = source.frames()
    assert frame.image.shape == (20, 30, 3)
    assert (frame.image == 200).all()


def test_video(drive_video):
    source = open_source(str(drive_video))
    assert (source.kind, source.fps, source.count) == ("video", 15, 72)
    assert sum(1 for _ in source.frames()) == 72


@pytest.mark.parametrize(
    ("name", "fault"),
    [("nowhere", "no such file"), ("text.txt", "neither a picture nor a video"), ("empty", "no pictures")],
)
def test_what_cannot_be_looked_at(tmp_path, name, fault):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=fault):
        open_source(str(tmp_path / name))


class _Camera:
    """Stands in for ``cv2.VideoCapture``: number 3 gives two frames and then none."""

    opened = 0

    def __init__(self, index):
        self.there = index == 3
        self.left = 2
        _Camera.opened += self.there

    def isOpened(self):
        return self.there

    def get(self, what):
        return 30.0 if what == cv2.CAP_PROP_FPS else -1.0

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (255, 0, 0), np.uint8)

    def release(self):
        _Camera.opened -= 1


def test_camera(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", _Camera)
    source = open_source("3")
    assert (source.label, source.kind, source.fps, source.count) == ("camera 3", "camera", 30, None)
    frames = source.frames()
    assert [next(frames).name for _ in range(2)] == ["000000", "000001"]
    with pytest.raises(InputError, match="stopped giving frames after 2"):
        next(frames)
    assert _Camera.opened == 0
    assert (next(source.frames()).image == (0, 0, 255)).all()


def test_absent_camera(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", _Camera)
    with pytest.raises(InputError, match="camera 7: cannot be opened"):
        open_source("7")


def test_drawn_frames_are_always_the_same_and_differ_from_each_other():
    first, again = (list(drawn_source((90, 160)).frames()) for _ in range(2))
    assert all((one.image == other.image).all() for one, other in zip(first, again, strict=True))
    assert first[0].image.shape == (90, 160, 3)
    assert len({frame.image.tobytes() for frame in first}) == len(first) == drawn_source().count
