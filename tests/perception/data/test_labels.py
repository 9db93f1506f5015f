import json
import pickle

import numpy as np
import pytest

from perception.data.labels import Label, LabelList, bdd_folder, boxes_of, yolo_folder
from perception.errors import InputError

SIZE = (50, 100)


def bdd_item(category: str = "car", **box) -> dict:
    return {"category": category, "box2d": {"x1": 1, "y1": 2, "x2": 3.5, "y2": 4} | box}


def read_bdd(folder, content) -> list[Label]:
    (folder / "a.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return bdd_folder(folder).read("a", SIZE)


def test_bdd_boxes_and_categories_come_as_written(tmp_path):
    objects = [bdd_item(), {"category": "lane/road curb", "poly2d": []}, bdd_item("traffic light", x1=-7)]
    assert read_bdd(tmp_path, {"frames": [{"objects": objects}]}) == [
        Label("car", (1.0, 2.0, 3.5, 4.0)),
        Label("traffic light", (-7.0, 2.0, 3.5, 4.0)),
    ]


@pytest.mark.parametrize("frame", [{"objects": []}, {"objects": None}, {}])
def test_a_bdd_frame_may_be_empty(tmp_path, frame):
    assert read_bdd(tmp_path, {"frames": [frame]}) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        {"frames": []},
        {"frames": [{"objects": [{"box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}]}]},
        {"frames": [{"objects": [{"category": "car", "box2d": {"x1": 1}}]}]},
        {"frames": [{"objects": [bdd_item(x1="left")]}]},
        {"frames": [{"objects": [bdd_item(x1=float("nan"))]}]},
        {"frames": [{"objects": ["car"]}]},
    ],
)
def test_a_malformed_bdd_file_is_named(tmp_path, content):
    with pytest.raises(InputError, match=r"a\.json: not "):
        read_bdd(tmp_path, content)


def test_yolo_fractions_become_pixels(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n\n3 0.1 0.2 0.2 0.4\n")
    labels = yolo_folder(tmp_path).read("a", SIZE)
    assert [label.category for label in labels] == ["0", "3"]
    np.testing.assert_allclose([label.box for label in labels], [[40, 15, 60, 35], [0, 0, 20, 20]], atol=1e-9)


def test_an_empty_yolo_file_means_no_box(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert yolo_folder(tmp_path).read("a", SIZE) == []


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.2", "0 0.5 0.5 0.2 0.4 0.9", "0 a b c d", "0 0.5 0.5 inf 0.2"])
def test_a_malformed_yolo_file_is_named(tmp_path, line):
    (tmp_path / "a.txt").write_text(line)
    with pytest.raises(InputError, match=r"a\.txt: not a YOLO label file"):
        yolo_folder(tmp_path).read("a", SIZE)


@pytest.mark.parametrize("folder", [bdd_folder, yolo_folder])
def test_a_missing_file_is_named(tmp_path, folder):
    with pytest.raises(InputError, match=r"a\.(json|txt): cannot be read"):
        folder(tmp_path).read("a", SIZE)


@pytest.mark.parametrize("indent", [None, 4])
def test_a_list_is_read_entry_by_entry(tmp_path, indent):
    path = tmp_path / "det_val.json"
    frames = [
        {"name": "b.jpg", "attributes": {"scene": "Straße ]"}, "labels": [bdd_item("bus")]},
        {"name": "a.jpg", "labels": None},
        {"name": "c.jpg", "labels": [bdd_item("car"), {"category": "lane", "poly2d": []}]},
    ]
    path.write_text(json.dumps(frames, indent=indent, ensure_ascii=False), encoding="utf-8")
    labels = LabelList(path)
    assert labels.names() == {"a", "b", "c"}
    labels = pickle.loads(pickle.dumps(labels))
    assert labels.read("c", SIZE) == [Label("car", (1.0, 2.0, 3.5, 4.0))]
    assert labels.read("b", SIZE) == [Label("bus", (1.0, 2.0, 3.5, 4.0))]
    assert labels.read("a", SIZE) == []


def test_an_empty_list_names_nobody(tmp_path):
    (tmp_path / "det_val.json").write_text("[]")
    assert LabelList(tmp_path / "det_val.json").names() == set()


@pytest.mark.parametrize("text", ["", "{}", '[{"labels": []}]', '[{"name": "a.jpg"', '[{"name": "a.jpg"}', "[1]"])
def test_a_malformed_list_is_named(tmp_path, text):
    (tmp_path / "det_val.json").write_text(text)
    with pytest.raises(InputError, match=r"det_val\.json: "):
        LabelList(tmp_path / "det_val.json").names()


def test_a_malformed_entry_is_named_and_leaves_the_others(tmp_path):
    frames = [{"name": "a.jpg", "labels": [{"category": "car", "box2d": {"x1": 1}}]}, {"name": "b.jpg", "labels": []}]
    (tmp_path / "det_val.json").write_text(json.dumps(frames))
    labels = LabelList(tmp_path / "det_val.json")
    assert labels.read("b", SIZE) == []
    with pytest.raises(InputError, match=r"det_val\.json\[a\]: not in BDD100K's form"):
        labels.read("a", SIZE)


def test_a_frame_that_is_listed_twice_is_named_and_leaves_the_others(tmp_path):
    path = tmp_path / "det_val.json"
    path.write_text(json.dumps([{"name": "a.jpg"}, {"name": "b.jpg"}, {"name": "a.png"}]))
    labels = LabelList(path)
    assert labels.names() == {"a", "b"} and labels.read("b", (1, 1)) == []
    with pytest.raises(InputError, match=r"det_val\.json\[a\]: is listed 2 times"):
        labels.read("a", (1, 1))


def test_boxes_are_filtered_clipped_and_never_empty():
    labels = [
        Label("car", (-5.0, 10.0, 20.0, 60.0)),
        Label("person", (1.0, 1.0, 9.0, 9.0)),
        Label("bus", (110.0, 10.0, 120.0, 20.0)),
        Label("car", (30.0, 10.0, 30.0, 20.0)),
    ]
    boxes = boxes_of(labels, frozenset({"car", "bus"}), SIZE)
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes, [[0, 10, 20, 50]])


def test_no_box_is_an_array_too():
    assert boxes_of([], frozenset({"car"}), SIZE).shape == (0, 4)


@pytest.mark.filterwarnings("error")
def test_boxes_beyond_all_floats_end_at_the_picture():
    boxes = boxes_of([Label("car", (-1e300, 1, 1e300, 2))], frozenset({"car"}), SIZE)
    assert boxes.dtype == np.float32 and boxes.tolist() == [[0, 1, SIZE[1], 2]]
