import pytest

from perception.data.folders import image_files, stems
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


def test_stems_are_of_one_suffix(tmp_path):
    for name in ("a.json", "b.c.json", ".d.json", "e.txt"):
        (tmp_path / name).touch()
    assert stems(tmp_path, ".json") == {"a", "b.c"}


def test_a_missing_folder_holds_nothing(tmp_path):
    assert image_files(tmp_path / "none") == {}
    assert stems(tmp_path / "none", ".png") == set()
