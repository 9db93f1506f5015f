import json
import os
import pickle
import shutil

import cv2
import numpy as np
import pytest

from perception.data import open_dataset, open_pictures
from perception.data.check import check
from perception.errors import InputError


def test_every_layout_tells_the_same(any_layout, tiny_frames):
    root, layout = any_layout
    dataset = open_dataset(root)
    assert (dataset.root, dataset.layout, dataset.split) == (root, layout, "val")
    assert dataset.names == ("b-first", "c-second")
    assert len(dataset) == 2
    for sample, frame in zip(dataset, tiny_frames, strict=True):
        assert sample.name == frame.name
        np.testing.assert_allclose(sample.image, frame.image, atol=3)
        vehicles = [box for category, box in frame.boxes.items() if category != "pedestrian"]
        assert sample.boxes.dtype == np.float32
        np.testing.assert_allclose(sample.boxes, np.reshape(vehicles, (-1, 4)), atol=1e-4)
        for mask, expected in ((sample.drivable, frame.drivable), (sample.lane, frame.lane)):
            assert mask.dtype == np.uint8
            np.testing.assert_array_equal(mask, expected)


def test_archives_side_by_side(bdd100k):
    assert open_dataset(bdd100k).root == bdd100k / "bdd100k"


def test_a_frame_can_be_asked_for_again_and_by_a_copy_in_another_process(any_layout):
    root, _ = any_layout
    dataset = open_dataset(root)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(dataset[1].image, copy[-1].image)
    assert copy[0].boxes.shape == (2, 4)
    with pytest.raises(IndexError):
        dataset[2]


def test_png_pictures_are_read_too(yolop):
    jpeg = yolop / "images/val/b-first.jpg"
    cv2.imwrite(str(jpeg.with_suffix(".png")), cv2.imread(str(jpeg)))
    jpeg.unlink()
    dataset = open_dataset(yolop)
    assert dataset.names == ("b-first", "c-second")
    assert dataset[0].image.shape == (48, 64, 3)


def test_an_unknown_split_says_which_there_are(any_layout):
    root, _ = any_layout
    with pytest.raises(InputError, match="no split 'train', there are: val"):
        open_dataset(root, "train")


@pytest.mark.parametrize(
    ("folder", "tasks"),
    [
        ("ll_seg_annotations", ("detection", "drivable")),
        ("da_seg_annotations", ("detection", "lane")),
        ("det_annotations", ("drivable", "lane")),
    ],
)
def test_a_task_without_its_folder_is_not_labelled(yolop, tiny_frames, folder, tasks):
    shutil.rmtree(yolop / folder / "val")
    dataset = open_dataset(yolop, tasks=tasks)
    assert dataset.tasks == dataset[0].tasks == tasks
    present = {
        "detection": len(dataset[0].boxes) > 0,
        "drivable": dataset[0].drivable.any(),
        "lane": dataset[0].lane.any(),
    }
    assert present == {task: task in tasks for task in present}
    with pytest.raises(InputError, match=rf"half a data set of the yolop layout, missing: {folder}/val$"):
        open_dataset(yolop, tasks=("detection", "drivable", "lane"))


def test_pictures_alone_are_half_a_data_set(yolop):
    for folder in ("det_annotations", "da_seg_annotations", "ll_seg_annotations"):
        shutil.rmtree(yolop / folder / "val")
        (yolop / folder / "train").mkdir()
    with pytest.raises(InputError, match="half a data set"):
        open_dataset(yolop)


def test_an_empty_split_is_refused(yolop):
    for file in (yolop / "images/val").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="images/val: no labelled pictures"):
        open_dataset(yolop)


@pytest.mark.parametrize("file", ["det_annotations/val/c-second.json", "ll_seg_annotations/val/c-second.png"])
def test_a_picture_without_its_label_or_mask_is_named_at_once(yolop, file):
    (yolop / file).unlink()
    with pytest.raises(InputError, match=rf"{file}: missing \(1 of 2 pictures"):
        open_dataset(yolop)


def test_frames_that_lack_something_or_share_a_name_can_be_left_out(yolop):
    for folder, suffix in (("images", "jpg"), ("det_annotations", "json"), ("da_seg_annotations", "png")):
        for name in ("no-lane", "twice"):
            shutil.copy(yolop / folder / f"val/b-first.{suffix}", yolop / folder / f"val/{name}.{suffix}")
    shutil.copy(yolop / "ll_seg_annotations/val/b-first.png", yolop / "ll_seg_annotations/val/twice.png")
    shutil.copy(yolop / "ll_seg_annotations/val/b-first.png", yolop / "ll_seg_annotations/val/stray.png")
    shutil.copy(yolop / "images/val/twice.jpg", yolop / "images/val/twice.png")
    with pytest.raises(InputError, match="shares its name"):
        open_dataset(yolop)
    dataset = open_dataset(yolop, on_bad="skip")
    assert dataset.names == ("b-first", "c-second")
    assert [line.split("/")[-1] for line in dataset.left_out] == [
        "twice.png: shares its name with twice.jpg",
        "no-lane.png: missing",
    ]


def test_suffixes_in_capitals(yolop):
    for file in [*yolop.glob("*/val/b-first.*")]:
        file.rename(file.with_suffix(file.suffix.upper()))
    assert len(list(yolop.glob("*/val/b-first.[A-Z]*"))) == 4
    first, _ = open_dataset(yolop)
    assert (first.name, len(first.boxes), first.lane.max()) == ("b-first", 2, 1)


def test_a_path_of_any_characters_and_symbolic_links(yolop, tmp_path_factory):
    odd = tmp_path_factory.mktemp("odd") / "道路 für [α]*?"
    odd.mkdir()
    for folder in yolop.iterdir():
        (odd / folder.name).symlink_to(folder)
    picture = yolop / "images/val/b-first.jpg"
    picture.rename(yolop / "taken.jpg")
    picture.symlink_to(yolop / "taken.jpg")
    assert [len(sample.boxes) for sample in open_dataset(odd)] == [2, 0]
    (yolop / "taken.jpg").unlink()
    with pytest.raises(InputError, match=r"b-first\.jpg: cannot be read"):
        open_dataset(odd)[0]


@pytest.mark.parametrize("what", ["pipe", "device", "circle"])
def test_a_picture_that_is_no_file_is_bad_by_itself(yolop, what):
    picture = next(yolop.glob("images/val/*"))
    picture.unlink()
    os.mkfifo(picture) if what == "pipe" else picture.symlink_to("/dev/zero" if what == "device" else picture)
    with pytest.raises(InputError, match=f"{picture.name}: cannot be read"):
        list(open_dataset(yolop))
    assert {fault.file: fault.kind for fault in check(yolop).faults} == {picture: "unreadable picture"}


def test_frames_of_several_sizes(yolop):
    for folder, suffix in (("images", "jpg"), ("da_seg_annotations", "png"), ("ll_seg_annotations", "png")):
        file = yolop / folder / f"val/c-second.{suffix}"
        cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file), cv2.IMREAD_UNCHANGED), (100, 30)))
    assert [sample.lane.shape for sample in open_dataset(yolop)] == [(48, 64), (30, 100)]


def test_pictures_that_the_list_leaves_out_are_no_frames(bdd100k):
    path = bdd100k / "bdd100k/labels/det_20/det_val.json"
    path.write_text(json.dumps([entry for entry in json.loads(path.read_text()) if entry["name"] != "b-first.jpg"]))
    assert open_dataset(bdd100k).names == ("c-second",)


def test_a_broken_frame_is_named_when_it_is_read(yolop):
    picture = yolop / "images/val/c-second.jpg"
    picture.write_bytes(picture.read_bytes()[:-20])
    dataset = open_dataset(yolop)
    assert dataset[0].name == "b-first"
    with pytest.raises(InputError, match=r"c-second\.jpg: the end of this JPEG is missing"):
        dataset[1]


def test_a_mask_of_another_size_is_refused(yolop):
    cv2.imwrite(str(yolop / "da_seg_annotations/val/b-first.png"), np.zeros((24, 32), np.uint8))
    with pytest.raises(InputError, match=r"b-first\.png: is 32x24 \(WxH\), its picture 64x48"):
        open_dataset(yolop)[0]


def test_real_photographs(camvid):
    dataset = open_dataset(camvid)
    assert (len(dataset), dataset.layout) == (65, "yolop")
    boxes = 0
    for sample in dataset:
        assert sample.image.shape == (480, 640, 3)
        assert sample.drivable.shape == sample.lane.shape == (480, 640)
        assert sample.drivable.max() == 1
        boxes += len(sample.boxes)
    assert boxes == 195


def test_pictures_alone_of_every_layout(any_layout):
    root, layout = any_layout
    labelled, dataset = open_dataset(root), open_pictures(root, "val")
    assert (dataset.layout, dataset.names, dataset.tasks) == (layout, labelled.names, ())
    for sample, same in zip(dataset, labelled, strict=True):
        np.testing.assert_array_equal(sample.image, same.image)
        assert sample.boxes.shape == (0, 4) and not sample.drivable.any() and sample.tasks == ()


def test_pictures_alone_of_a_folder(yolop):
    folder = yolop / "images/val"
    dataset = open_pictures(folder, "train")
    assert (dataset.root, dataset.layout, dataset.names) == (folder, "pictures", ("b-first", "c-second"))
    shutil.copy(folder / "b-first.jpg", folder / "b-first.png")
    with pytest.raises(InputError, match="shares its name"):
        open_pictures(folder, "train")
    assert open_pictures(folder, "train", on_bad="skip").names == ("c-second",)


def test_no_pictures_to_open(yolop):
    with pytest.raises(InputError, match="no pictures in it, nor in images/100k/train, images/train2017, images/train"):
        open_pictures(yolop, "train")
