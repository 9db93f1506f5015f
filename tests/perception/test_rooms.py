import pytest

from perception.rooms import layers_in, name_in, rank, room_of_tasks, rooms_in


def test_tasks_of_a_room_stand_in_their_order():
    assert room_of_tasks({"lane", "drivable"}) == "drivable+lane"
    assert room_of_tasks(["detection"]) == "detection"


def test_rooms_are_sorted_as_data_runs():
    rooms = ["backbone", "encoder", "detection", "drivable", "lane", "drivable+lane", "other"]
    assert sorted({*rooms}, key=rank) == rooms


@pytest.mark.parametrize("room", ["backbone", "encoder", "shared", "lane", "drivable+lane", "detection+lane"])
def test_a_name_says_where_it_belongs(room):
    assert rooms_in(name_in(room, "node_relu/0/out")) == [room]


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("encoder/node_conv2d_40 + encoder/node_relu", ["encoder"]),
        ("drivable/node_a + lane/node_b", ["drivable", "lane"]),
        ("{ForeignNode[backbone/node_a...drivable+lane/node_b]}", ["backbone", "drivable+lane"]),
        ("Reformatting CopyNode for Input Tensor 0 to lane/node_c", ["lane"]),
        ("[ONNX Layer: detection/node_d]\x1e[ONNX Layer: detection/node_e]", ["detection"]),
        ("backbone/relu_1_nchwc", ["backbone"]),
        ("node_lane", []),
        ("highlane/x", []),
        ("", []),
    ],
)
def test_names_as_libraries_pass_them_on(text, rooms):
    assert rooms_in(text) == rooms


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("lane/network.model.42.conv", ["model.42.conv"]),
        ("lane/network.model.42.conv/1", ["model.42.conv"]),
        ("lane/network.model.42.conv/getitem_258_nchwc", ["model.42.conv"]),
        ("drivable+lane/network.neck + PWN(drivable+lane/network.neck/node_relu)", ["neck"]),
        ("encoder/network.cv1 || encoder/network.cv2", ["cv1", "cv2"]),
        ("[ONNX Layer: lane/network.m.0]\x1e[ONNX Layer: lane/node_add]", ["m.0"]),
        ("Reformatting CopyNode for Input Tensor 0 to lane/network.m.1 + lane/node_add", ["m.1"]),
        ("{ForeignNode[encoder/network.fc1...encoder/network.fc2]}", []),
        ("lane/node_add", []),
        ("network.m.0", []),
        ("lane/subnetwork.m.0", []),
    ],
)
def test_layers_as_libraries_pass_them_on(text, layers):
    assert layers_in(text) == layers
