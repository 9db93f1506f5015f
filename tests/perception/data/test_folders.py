import errno
import os
from pathlib import Path

import pytest

from perception.data import open_dataset
from perception.data.folders import file_of, image_files, stems
from perception.errors import InputError


def test_pictures_come_in_order_of_stem_whatever_their_suffix(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.jpg", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in image_files(tmp_path).values()] == ["a.jpeg", "b.PNG", "c.jpg"]


def test_a_longer_name_does_not_change_the_order(tmp_path):
    for name in ("a-1.jpg", "a.jpg", "a1.jpg"):
        (tmp_path / name).touch()
    assert list(image_files(tmp_path)) == sorted(["a-1", "a", "a1"])


def test_two_pictures_of_one_stem_are_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match=r"a\.png: shares its name with a\.jpg"):
        image_files(tmp_path)


def test_two_masks_of_one_stem_are_refused(tmp_path):
    (tmp_path / "a.PNG").touch()
    assert file_of(tmp_path, "a", ".png") == tmp_path / "a.PNG"
    (tmp_path / "a.png").symlink_to("a.PNG")
    assert file_of(tmp_path, "a", ".png").samefile(tmp_path / "a.PNG")
    (tmp_path / "a.png").unlink()
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match=r"a\.PNG: shares its name with a\.png"):
        file_of(tmp_path, "a", ".png")


def test_stems_are_of_one_suffix(tmp_path):
    for name in ("a.json", "b.c.json", ".d.json", "e.txt"):
        (tmp_path / name).touch()
    assert stems(tmp_path, ".json") == {"a", "b.c"}


def test_a_missing_folder_holds_nothing(tmp_path):
    assert image_files(tmp_path / "none") == {}
    assert stems(tmp_path / "none", ".png") == set()


@pytest.fixture
def share(monkeypatch):
    """Makes every first attempt to list, to look at or to open something below a folder fail like a network share."""

    def away(root, number=errno.EIO, attempts=1):
        failed: dict[tuple[str, str], int] = {}

        def now_and_then(deed, real):
            def attempt(path, *args, **kwargs):
                key = (deed, str(path))
                if str(path).startswith(str(root)) and failed.setdefault(key, 0) < attempts:
                    failed[key] += 1
                    raise OSError(number, os.strerror(number), str(path))
                return real(path, *args, **kwargs)

            return attempt

        for owner, name in ((os, "scandir"), (os, "stat"), (os, "open"), (Path, "open")):
            monkeypatch.setattr(owner, name, now_and_then(name, getattr(owner, name)))
        monkeypatch.setattr("perception.files.time.sleep", lambda seconds: None)
        return failed

    return away


def test_a_data_set_on_a_share_that_fails_now_and_then_is_read_whole(any_layout, share):
    root, _ = any_layout
    expected = open_dataset(root)
    frames = [(sample.image.sum(), len(sample.boxes), sample.lane.sum()) for sample in expected]
    failed = share(root.parent)
    found = open_dataset(root)
    assert (found.names, found.tasks) == (expected.names, expected.tasks)
    assert [(sample.image.sum(), len(sample.boxes), sample.lane.sum()) for sample in found] == frames
    assert {deed for deed, _ in failed} >= {"scandir", "stat", "open"}


def test_a_folder_that_does_not_answer_is_not_one_that_is_not_there(tmp_path, share):
    (tmp_path / "a.PNG").touch()
    share(tmp_path, errno.EACCES)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        stems(tmp_path, ".png")
    with pytest.raises(InputError, match=r"a\.PNG: cannot be read \(Permission denied\)"):
        file_of(tmp_path, "a", ".png")
