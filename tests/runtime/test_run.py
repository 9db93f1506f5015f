from dataclasses import replace

import cv2
import numpy as np
import pytest

from perception.errors import InputError
from runtime import sources
from runtime.backends import open_backend
from runtime.pipeline import Frame, SourceLost
from runtime.run import run
from runtime.sources import Source, drawn_source, open_source


@pytest.fixture
def backend(network):
    with open_backend(network, "cpu") as opened:
        yield opened


@pytest.fixture
def film():
    """Six frames that say that they are a video."""
    return replace(drawn_source((90, 160), count=6), kind="video", fps=12.0)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folder_of_pictures(backend, tmp_path):
    assert run(backend, drawn_source((90, 160)), tmp_path / "seen") == 4
    assert files(tmp_path / "seen") == [f"drawn-{index}.jpg" for index in range(4)]
    assert cv2.imread(str(tmp_path / "seen" / "drawn-0.jpg")).shape == (90, 160, 3)


@pytest.mark.parametrize("name", ["seen.jpg", "seen.png", "SEEN.PNG"])
def test_one_picture(backend, tmp_path, name):
    # Bright everywhere: all drivable, no lane, so the picture turns green.
    cv2.imwrite(str(tmp_path / "in.png"), np.full((90, 160, 3), 220, np.uint8))
    assert run(backend, open_source(str(tmp_path / "in.png")), tmp_path / name) == 1
    blue, green, red = cv2.imread(str(tmp_path / name))[80, 5].astype(int)
    assert green > red + 20 and green > blue + 20


def test_video(backend, tmp_path, film):
    assert run(backend, film, tmp_path / "seen.mp4") == 6
    assert files(tmp_path) == ["seen.mp4"]
    capture = cv2.VideoCapture(str(tmp_path / "seen.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    shapes = []
    while (frame := capture.read())[0]:
        shapes.append(frame[1].shape)
    assert shapes == [(90, 160, 3)] * 6


def test_limit(backend, tmp_path, film):
    assert run(backend, film, tmp_path / "seen", limit=2) == 2
    assert files(tmp_path / "seen") == ["drawn-0.jpg", "drawn-1.jpg"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [("seen.jpg", "is one picture"), ("seen.mp4", "a video comes from"), ("seen.gif", "name a folder, a picture")],
)
def test_out_that_does_not_suit_the_source(backend, tmp_path, name, fault):
    with pytest.raises(InputError, match=fault):
        run(backend, drawn_source((90, 160)), tmp_path / name)
    assert files(tmp_path) == []


def test_out_that_cannot_be_written(backend, tmp_path, film):
    (tmp_path / "file").write_text("in the way")
    for out in ("file", "file/seen.mp4", "file/seen"):
        with pytest.raises(InputError):
            run(backend, film, tmp_path / out)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_source_is_never_painted_over(backend, tmp_path, monkeypatch):
    cv2.imwrite(str(tmp_path / "in.jpg"), np.full((90, 160, 3), 220, np.uint8))
    original = (tmp_path / "in.jpg").read_bytes()
    monkeypatch.chdir(tmp_path)
    for source, out in (("in.jpg", "in.jpg"), ("in.jpg", "."), (".", str(tmp_path))):
        with pytest.raises(InputError, match="would be painted over"):
            run(backend, open_source(source), out)
    assert (tmp_path / "in.jpg").read_bytes() == original


def broken_after(count, error):
    def frames():
        for index in range(count):
            yield Frame(str(index), np.zeros((90, 160, 3), np.uint8))
        raise error

    return frames


def test_a_video_that_breaks_off_is_kept_up_to_there(backend, tmp_path):
    source = Source("film", "video", broken_after(3, InputError("film: broken")), 12.0)
    with pytest.raises(InputError, match=r"^film: broken; .*seen\.mp4: 3 frames written before$"):
        run(backend, source, tmp_path / "seen.mp4")
    assert files(tmp_path) == ["seen.mp4"]
    capture = cv2.VideoCapture(str(tmp_path / "seen.mp4"))
    assert [capture.read()[0] for _ in range(4)] == [True, True, True, False]


def test_a_video_that_breaks_off_at_once_leaves_nothing(backend, tmp_path):
    with pytest.raises(InputError, match=r"^film: broken$"):
        run(backend, Source("film", "video", broken_after(0, InputError("film: broken")), 12.0), tmp_path / "seen.mp4")
    assert files(tmp_path) == []


def test_a_folder_with_a_broken_picture(backend, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / "in" / f"{name}.jpg"), np.zeros((90, 160, 3), np.uint8))
    whole = (tmp_path / "in" / "b.jpg").read_bytes()
    (tmp_path / "in" / "b.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"b\.jpg: .*; .*seen: 1 frame written before"):
        run(backend, open_source(str(tmp_path / "in")), tmp_path / "seen")
    assert files(tmp_path / "seen") == ["a.jpg"]


def test_a_video_file_that_was_cut_off(backend, tmp_path, capsys):
    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (160, 90))
    for frame in drawn_source((90, 160), count=20).frames():
        film.write(frame.image)
    film.release()
    whole = (tmp_path / "film.avi").read_bytes()
    (tmp_path / "film.avi").write_bytes(whole[: len(whole) // 2])
    count = run(backend, open_source(str(tmp_path / "film.avi")), tmp_path / "seen.mp4")
    assert 5 < count < 15
    assert cv2.VideoCapture(str(tmp_path / "seen.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == count
    assert f"gave {count} frames of 20 that it announces" in capsys.readouterr().err


def test_interrupting_a_camera_keeps_what_it_saw(backend, tmp_path):
    source = Source("camera 0", "camera", broken_after(3, KeyboardInterrupt()), 12.0)
    assert run(backend, source, tmp_path / "seen.mp4") == 3
    assert cv2.VideoCapture(str(tmp_path / "seen.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_a_camera_that_is_pulled_out_leaves_what_it_saw(backend, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sources, "_PAUSE_SECONDS", 0)
    lives = iter([3])

    def frames():
        return broken_after(next(lives, 0), SourceLost("camera 0: unplugged"))()

    assert run(backend, Source("camera 0", "camera", frames, 12.0), tmp_path / "seen.mp4") == 3
    said = capsys.readouterr().err
    assert "camera 0: unplugged; waiting for it to come back" in said and "unplugged; gone for" in said
    assert cv2.VideoCapture(str(tmp_path / "seen.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_interrupting_a_video_leaves_nothing(backend, tmp_path):
    source = Source("film", "video", broken_after(3, KeyboardInterrupt()), 12.0)
    with pytest.raises(KeyboardInterrupt):
        run(backend, source, tmp_path / "seen.mp4")
    assert files(tmp_path) == []


def test_no_frames_no_video(backend, tmp_path):
    with pytest.raises(InputError, match="no whole video"):
        run(backend, Source("camera 0", "camera", lambda: iter(()), 12.0), tmp_path / "seen.mp4")
    assert files(tmp_path) == []
