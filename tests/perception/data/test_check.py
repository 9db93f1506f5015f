import json
import shutil

import cv2
import numpy as np
import pytest

from perception.data.check import KINDS, check
from perception.errors import InputError


def counts(root) -> dict[str, int]:
    return check(root).counts


def edit(path, change) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def add_object(path, category, x1, y1, x2, y2) -> None:
    item = {"category": category, "box2d": {"x1": x1, "y1": y1, "x2": x2, "y2": y2}}
    label = json.loads(path.read_text())
    label["frames"][0]["objects"].append(item)
    path.write_text(json.dumps(label))


def test_whole_data_sets_have_no_faults_and_the_same_figures(any_layout):
    root, layout = any_layout
    result = check(root)
    assert (result.root, result.layout, result.faults) == (root, layout, ())
    [summary] = result.splits
    assert (summary.split, summary.labelled, summary.frames, summary.boxes) == ("val", True, 2, 2)
    assert summary.sizes == {"64x48": 2}
    assert summary.shares == pytest.approx({"drivable": 18 * 40 / (48 * 64), "lane": 16 * 3 / (48 * 64)})


def test_every_kind_is_found_at_once_and_names_its_file(yolop, turn):
    for number in range(10):
        for folder, suffix in (("images", "jpg"), ("det_annotations", "json")):
            shutil.copy(yolop / folder / f"val/b-first.{suffix}", yolop / folder / f"val/{number}.{suffix}")
        for folder in ("da_seg_annotations", "ll_seg_annotations"):
            shutil.copy(yolop / folder / "val/b-first.png", yolop / folder / f"val/{number}.png")
    labels, masks = yolop / "det_annotations/val", yolop / "da_seg_annotations/val"
    (labels / "0.json").unlink()
    (masks / "0.png").unlink()
    (yolop / "images/val/1.jpg").unlink()
    picture = yolop / "images/val/2.jpg"
    picture.write_bytes(picture.read_bytes()[:-50])
    (labels / "3.json").write_text("{")
    (masks / "3.png").write_bytes(b"nothing")
    add_object(labels / "4.json", "spaceship", 1, 1, 9, 9)
    add_object(labels / "5.json", "car", 20, 10, 20, 30)
    add_object(labels / "6.json", "person", 50, 10, 70, 30)
    cv2.imwrite(str(masks / "7.png"), np.full((24, 32), 3, np.uint8))
    shutil.copy(yolop / "images/val/8.jpg", yolop / "images/val/8.png")
    slope = cv2.imencode(".jpg", np.tile(np.arange(64, dtype=np.uint8), (48, 1)))[1].tobytes()
    (yolop / "images/val/9.jpg").write_bytes(turn(slope, 3))

    result = check(yolop)
    files = {(fault.kind, fault.file.relative_to(yolop).as_posix()) for fault in result.faults}
    assert files == {
        ("picture without label", "images/val/0.jpg"),
        ("picture without mask", "images/val/0.jpg"),
        ("label without picture", "det_annotations/val/1.json"),
        ("mask without picture", "da_seg_annotations/val/1.png"),
        ("mask without picture", "ll_seg_annotations/val/1.png"),
        ("unreadable picture", "images/val/2.jpg"),
        ("unreadable label", "det_annotations/val/3.json"),
        ("unreadable mask", "da_seg_annotations/val/3.png"),
        ("unknown category", "det_annotations/val/4.json"),
        ("empty box", "det_annotations/val/5.json"),
        ("box outside the picture", "det_annotations/val/6.json"),
        ("mask of another size", "da_seg_annotations/val/7.png"),
        ("unexpected mask value", "da_seg_annotations/val/7.png"),
        ("pictures of one name", "images/val/8.png"),
        ("turned picture", "images/val/9.jpg"),
    }
    assert len(result.faults) == len(files)
    assert list(result.counts) == list(KINDS)
    assert result.splits[0].frames == 11


def test_boxes_rounded_to_the_border_are_no_fault(yolop):
    add_object(yolop / "det_annotations/val/b-first.json", "car", -0.6, 0, 64.8, 48.5)
    assert counts(yolop) == {}


def test_details_say_what_is_wrong(yolop):
    label = yolop / "det_annotations/val/c-second.json"
    add_object(label, "car", 0, 0, 99, 20)
    cv2.imwrite(str(yolop / "ll_seg_annotations/val/c-second.png"), np.full((48, 32), 7, np.uint8))
    details = {fault.kind: fault.detail for fault in check(yolop).faults}
    assert details == {
        "box outside the picture": "car from 0.0, 0.0 to 99.0, 20.0 in 64x48",
        "unexpected mask value": "7",
        "mask of another size": "32x48, its picture 64x48",
    }


def test_a_class_that_the_rmt_ppad_labels_do_not_have(rmt_ppad):
    (rmt_ppad / "labels/val2017/c-second.txt").write_text("4 0.5 0.5 0.2 0.2\n")
    assert counts(rmt_ppad) == {"unknown category": 1}


def test_values_that_the_bdd_masks_do_not_have(bdd100k):
    for task in ("drivable", "lane"):
        cv2.imwrite(str(bdd100k / f"bdd100k/labels/{task}/masks/val/b-first.png"), np.full((48, 64), 70, np.uint8))
    assert counts(bdd100k) == {"unexpected mask value": 2}


def test_pictures_and_entries_of_a_list_are_paired(bdd100k):
    path = bdd100k / "bdd100k/labels/det_20/det_val.json"
    edit(path, lambda entries: [{**entries[0], "name": "stranger.jpg"}, *entries[1:]])
    faults = {fault.kind: fault.file.name for fault in check(bdd100k).faults}
    assert faults == {
        "picture without label": "c-second.jpg",
        "label without picture": "det_val.json[stranger]",
    }


def test_a_broken_list_is_one_fault_and_the_masks_are_still_checked(bdd100k):
    (bdd100k / "bdd100k/labels/det_20/det_val.json").write_text("[{")
    (bdd100k / "bdd100k/labels/lane/masks/val/b-first.png").write_bytes(b"")
    assert counts(bdd100k) == {"unreadable label": 1, "unreadable mask": 1}


def test_a_split_of_pictures_only_is_no_fault_but_broken_pictures_are(bdd100k):
    shutil.copytree(bdd100k / "bdd100k/images/100k/val", bdd100k / "bdd100k/images/100k/test")
    (bdd100k / "bdd100k/images/100k/test/b-first.jpg").write_bytes(b"")
    result = check(bdd100k)
    assert [(summary.split, summary.labelled) for summary in result.splits] == [("test", False), ("val", True)]
    assert result.splits[0].shares == {"drivable": None, "lane": None}
    assert result.counts == {"unreadable picture": 1}


def test_two_files_of_a_name_are_faults_like_others(yolop):
    masks, labels = yolop / "da_seg_annotations/val", yolop / "det_annotations/val"
    for folder, suffix in ((masks, "png"), (labels, "json")):
        shutil.copy(folder / f"b-first.{suffix}", folder / f"b-first.{suffix.upper()}")
    (yolop / "images/val/c-second.jpg").write_bytes(b"")
    faults = check(yolop).faults
    assert {(fault.kind, fault.file) for fault in faults} == {
        ("unreadable label", labels),
        ("unreadable mask", masks),
        ("unreadable picture", yolop / "images/val/c-second.jpg"),
    }
    assert any("b-first.PNG: shares its name with b-first.png" in fault.detail for fault in faults)


def test_a_part_that_is_missing_altogether_is_reported_picture_by_picture(yolop):
    shutil.rmtree(yolop / "da_seg_annotations")
    assert counts(yolop) == {"picture without mask": 2}


def test_the_result_can_be_written_as_json(yolop):
    (yolop / "images/val/b-first.jpg").write_bytes(b"")
    data = json.loads(json.dumps(check(yolop).to_json()))
    assert data["layout"] == "yolop"
    assert data["counts"] == {"unreadable picture": 1}
    assert data["splits"][0]["sizes"] == {"64x48": 1}
    [fault] = data["faults"]
    assert fault["file"] == str(yolop / "images/val/b-first.jpg")


def test_no_data_set_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="not a data set"):
        check(tmp_path)


def test_real_photographs_have_no_faults(camvid):
    result = check(camvid)
    assert result.faults == ()
    assert [(split.split, split.frames, split.boxes) for split in result.splits] == [
        ("train", 340, 933),
        ("val", 65, 195),
    ]
