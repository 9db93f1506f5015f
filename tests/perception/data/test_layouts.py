import shutil

import numpy as np
import pytest

from perception.data.layouts import LAYOUTS, find_layout
from perception.errors import InputError
from perception.tasks import DRIVABLE, LANE


def code(layout: str, task: str):
    [(_, code)] = [one.masks[task] for one in LAYOUTS if one.name == layout]
    return code


def test_each_layout_is_found(any_layout):
    root, name = any_layout
    base, layout = find_layout(root)
    assert (base, layout.name) == (root, name)
    assert layout.splits(root) == {"val": {"images", "labels", DRIVABLE, LANE}}


def test_the_folder_of_the_archives_is_found(bdd100k):
    base, layout = find_layout(bdd100k)
    assert (base, layout.name) == (bdd100k / "bdd100k", "bdd100k")


def test_splits_are_those_of_any_part_and_stray_files_are_none(yolop):
    (yolop / "images" / "test").mkdir()
    (yolop / "images" / ".cache").mkdir()
    (yolop / "images" / "readme.txt").touch()
    (yolop / "da_seg_annotations" / "train").mkdir()
    _, layout = find_layout(yolop)
    assert {split: len(parts) for split, parts in layout.splits(yolop).items()} == {"test": 1, "train": 1, "val": 4}


@pytest.mark.parametrize("layout", ["yolop", "rmt-ppad"])
@pytest.mark.parametrize("task", [DRIVABLE, LANE])
def test_binary_masks_are_foreground_wherever_not_zero(layout, task):
    assert code(layout, task).foreground[[0, 1, 127, 255]].tolist() == [0, 1, 1, 1]
    assert np.flatnonzero(code(layout, task).expected).tolist() == [0, 1, 255]


def test_bdd_drivable_is_direct_and_alternative():
    assert code("bdd100k", DRIVABLE).foreground[[0, 1, 2, 255]].tolist() == [1, 1, 0, 0]
    assert np.flatnonzero(code("bdd100k", DRIVABLE).expected).tolist() == [0, 1, 2]


def test_bdd_lane_is_where_the_background_bit_is_clear():
    lane = code("bdd100k", LANE)
    for category in range(8):
        for style_and_direction in (0, 16, 32, 48):
            assert lane.foreground[category + style_and_direction] == 1
            assert lane.foreground[category + style_and_direction + 8] == 0
    assert lane.foreground[255] == 0
    assert lane.expected[[0, 54, 8, 255]].all()
    assert not lane.expected[[64, 128, 192]].any()


def test_the_revised_labels_go_first(bdd100k):
    root, layout = find_layout(bdd100k)
    (root / "labels/100k/val").mkdir(parents=True)
    assert layout.parts(root, "val").labels.path.name == "det_val.json"


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_layout(tmp_path / "none")
    with pytest.raises(InputError, match=r"not a data set of a known layout .*yolop: images/<split>"):
        find_layout(tmp_path)


def test_pictures_alone_are_half_a_data_set(any_layout):
    root, name = any_layout
    for folder in root.iterdir():
        if folder.name != "images":
            shutil.rmtree(folder)
    with pytest.raises(InputError, match=f"half a data set of the {name} layout, missing: .*(labels|annotations)"):
        find_layout(root)


def test_labels_alone_are_half_a_data_set(any_layout):
    root, name = any_layout
    shutil.rmtree(root / "images")
    with pytest.raises(InputError, match=f"half a data set of the {name} layout, missing: images/"):
        find_layout(root)
