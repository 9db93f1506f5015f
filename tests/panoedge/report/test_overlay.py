import cv2
import numpy as np
import pytest

from panoedge.report import Overlay, Panel
from panoedge.report.overlay import encode, join, read
from perception.errors import InputError


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_pictures_keep_colours_and_shrink(overlays):
    wide = Panel("wide", np.full((720, 1280, 3), (10, 200, 90), np.uint8))
    (title, (red, blue)), (_, (shrunk,)) = encode([*overlays, Overlay("second", [wide])])
    assert title == "0ace96c3"
    assert (red.file, blue.file, shrunk.file) == ("overlays/01-1.jpg", "overlays/01-2.jpg", "overlays/02-1.jpg")
    assert np.abs(decoded(red.jpeg).reshape(-1, 3).mean(0) - (200, 30, 30)).max() < 4
    assert decoded(shrunk.jpeg).shape == (shrunk.height, shrunk.width, 3) == (540, 960, 3)


def test_read_takes_what_was_written(overlays, tmp_path):
    (title, pictures), *_ = encode(overlays)
    (tmp_path / "overlays").mkdir()
    for picture in pictures:
        (tmp_path / picture.file).write_bytes(picture.jpeg)
    panels = [{"label": picture.label, "file": picture.file} for picture in pictures]
    (scene,) = read({"overlays": [{"title": title, "panels": panels}]}, tmp_path / "report.json")
    assert [panel.label for panel in scene.panels] == ["teacher", "student-fp16"]
    assert scene.panels[0].image.shape == (360, 640, 3)
    assert read({}, tmp_path / "report.json") == read({"overlays": None}, tmp_path / "report.json") == []


@pytest.mark.parametrize(
    "file", ["absent.jpg", "../secret.jpg", "/etc/hostname", "text.jpg", "empty.jpg", "link.jpg", "a\0b"]
)
def test_what_is_no_picture_of_the_report_is_refused(tmp_path, file):
    folder = tmp_path / "run"
    folder.mkdir()
    cv2.imwrite(str(tmp_path / "secret.jpg"), np.zeros((8, 8, 3), np.uint8))
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.jpg").touch()
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(InputError, match="overlay"):
        read({"overlays": [{"title": "x", "panels": [{"label": "y", "file": file}]}]}, folder / "report.json")


def test_join_brings_scenes_together(overlays):
    (scene,) = overlays
    teacher, student = scene.panels
    joined = join([Overlay("a", [teacher]), Overlay("b", [teacher]), Overlay("a", [teacher, student])])
    assert [(entry.title, [panel.label for panel in entry.panels]) for entry in joined] == [
        ("a", ["teacher", "student-fp16"]),
        ("b", ["teacher"]),
    ]
