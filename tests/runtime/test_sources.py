import threading
from itertools import islice
from typing import ClassVar

import cv2
import numpy as np
import pytest

from perception.errors import InputError
from runtime import sources
from runtime.pipeline import SourceLost
from runtime.sources import Source, drawn_source, open_source


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
    """Stands in for ``cv2.VideoCapture``: 3, /dev/video3 and a pipeline give two frames each and then none."""

    opened = 0
    asked: ClassVar[list] = []

    def __init__(self, device, library):
        self.asked.append((device, library))
        self.there = "3" in str(device)
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


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", _Camera)
    monkeypatch.setattr(_Camera, "asked", [])
    return _Camera


def test_a_number_beyond_any_camera():
    with pytest.raises(InputError, match="camera 99999999999: cannot be opened"):
        open_source("99999999999")


@pytest.mark.parametrize(
    ("text", "label", "device", "library"),
    [
        ("3", "camera 3", 3, cv2.CAP_ANY),
        ("/dev/video3", "/dev/video3", "/dev/video3", cv2.CAP_V4L2),
        ("nvarguscamerasrc sensor-id=3 ! appsink", "nvarguscamerasrc sensor-id=3 ! appsink", None, cv2.CAP_GSTREAMER),
    ],
)
def test_camera(camera, text, label, device, library):
    source = open_source(text)
    assert (source.label, source.kind, source.fps, source.count) == (label, "camera", 30, None)
    seen = []
    with pytest.raises(SourceLost, match="stopped giving frames after 2"):
        for frame in source.frames():
            seen.append(frame)
    # An old frame gives way to a new one, the newest is always seen.
    assert seen[-1].name == "000001"
    assert (seen[-1].image == (0, 0, 255)).all()
    assert camera.opened == 0
    assert set(camera.asked) == {(device or text, library)}


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("7", "camera 7: cannot be opened; is it connected"),
        ("videotestsrc ! appsink", "OpenCV have GStreamer"),
    ],
)
def test_absent_camera(camera, text, cure):
    with pytest.raises(InputError, match=cure):
        open_source(text)


def test_a_camera_that_hangs_is_given_up(camera, monkeypatch):
    hung = threading.Event()

    def read(self):
        hung.wait(10)
        return False, None

    monkeypatch.setattr(camera, "read", read)
    monkeypatch.setattr(sources, "_PATIENCE_SECONDS", 0.05)
    with pytest.raises(SourceLost, match=r"camera 3: gave no frame for 0\.05 s"):
        next(open_source("3").frames())
    hung.set()


def test_a_camera_is_not_opened_again_when_it_ends(camera):
    with pytest.raises(SourceLost, match="stopped"):
        for _ in open_source("3").endless():
            pass
    # Once to ask for its pace, once to look.
    assert len(camera.asked) == 2


def test_a_source_that_breaks_or_is_empty_is_lost(tmp_path):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    source = open_source(str(tmp_path))
    frames = source.endless()
    next(frames)
    (tmp_path / "b.png").write_bytes(b"gone")
    with pytest.raises(SourceLost, match=r"b\.png"):
        next(frames)
    with pytest.raises(SourceLost, match="nothing: gave no more frames after 0"):
        next(Source("nothing", "folder", lambda: iter(())).endless())


def test_drawn_frames_are_always_the_same_and_differ_from_each_other():
    first, again = (list(drawn_source((90, 160)).frames()) for _ in range(2))
    assert all((one.image == other.image).all() for one, other in zip(first, again, strict=True))
    assert first[0].image.shape == (90, 160, 3)
    assert len({frame.image.tobytes() for frame in first}) == len(first) == drawn_source().count


def test_a_camera_that_disappears_and_returns_goes_on(camera, capsys):
    camera_source = open_source("3")
    pauses = []

    def wait(seconds):
        pauses.append(seconds)
        # Twice away: for two looks, then for good.
        camera.gone = len(pauses) < 3 or len(pauses) > 3
        return seconds

    def is_opened(self):
        return not camera.gone

    camera.gone, camera.isOpened = False, is_opened
    names = []
    with pytest.raises(SourceLost, match=r"camera 3: .*; gone for 10 s"):
        for frame in camera_source.persistent(wait):
            names.append(frame.name)
    assert names == sorted(set(names)) and len(names) >= 2
    assert len(pauses) == 3 + 10
    assert capsys.readouterr().err.count("waiting for it to come back") == 2


def test_other_sources_end_at_their_end(tmp_path):
    assert [frame.name for frame in drawn_source(count=3).persistent()] == ["drawn-0", "drawn-1", "drawn-2"]


def test_other_sources_are_lost_where_they_break(folder):
    (folder / "b.png").write_bytes(b"gone")
    frames = open_source(str(folder)).persistent()
    assert next(frames).name == "a"
    with pytest.raises(SourceLost, match=r"b\.png"):
        next(frames)
