from dataclasses import replace

import pytest

from perception.errors import InputError
from runtime.backends import TimedLayer, open_backend
from runtime.profile import check_profiler, profile


@pytest.fixture
def layered(waiting_backend):
    """A backend of these layers, each with what it says; all take 2 ms once they have run a few times."""

    def make(*layers):
        waiting_backend.layers = lambda images, count: [
            TimedLayer(name, said, [9.0, 9.0, 9.0, *[2.0] * (count - 3)]) for name, *said in layers
        ]
        return waiting_backend

    return make


def rooms_of(record):
    return [layer["room"] for layer in record["layers"]]


def test_every_layer_has_a_room_and_a_time(network):
    with open_backend(network, "cpu") as backend:
        record = profile(backend)
    # Drivable is the brightness of the picture, lane its opposite; constant boxes take no layer.
    assert set(record["rooms"]) == {"shared", "drivable", "lane"}
    assert all(layer["ms"] >= 0 for layer in record["layers"])
    for room, milliseconds in record["rooms"].items():
        assert milliseconds == pytest.approx(sum(layer["ms"] for layer in record["layers"] if layer["room"] == room))


def test_warming_up_does_not_count(layered):
    record = profile(layered(["encoder/node_a"], ["encoder/node_b"], ["lane/node_c"]))
    assert record["rooms"] == {"encoder": 4.0, "lane": 2.0}


def test_the_closest_that_says_a_room_counts(layered):
    record = profile(
        layered(
            ["encoder/node_a", "[ONNX Layer: lane/node_b]"],
            ["__myl_MulAdd_0", "[ONNX Layer: detection/node_c]", "lane/value"],
            ["Reorder", "", "token_7", "drivable/value", "lane/value"],
        )
    )
    assert rooms_of(record) == ["encoder", "detection", "drivable"]


def test_modules_are_of_the_text_that_says_the_room(layered):
    record = profile(
        layered(
            ["lane/network.head.conv/getitem_nchwc", "encoder/network.neck/value"],
            ["__myl_Conv_3", "[ONNX Layer: encoder/network.a]\x1e[ONNX Layer: encoder/network.b.cv1]"],
            ["lane/node_add", "lane/network.head.conv/value"],
            ["Copy"],
        )
    )
    assert [layer["modules"] for layer in record["layers"]] == [["head.conv"], ["a", "b.cv1"], [], []]


def test_what_is_joined_across_rooms_is_listed_under_all(layered):
    record = profile(layered(["{ForeignNode[encoder/node_a...lane/node_b]}"], ["Copy", ""]))
    assert record["rooms"] == {"encoder, lane": 2.0, "other": 2.0}


def test_a_file_that_says_nothing_of_rooms(layered):
    with pytest.raises(InputError, match=r"waiting\.onnx: .* export it again"):
        profile(layered(["node_a"], ["node_b", "value"]))


def test_nothing_is_left_behind(network):
    before = sorted(network.parent.iterdir())
    with open_backend(network, "cpu") as backend:
        profile(backend)
    assert sorted(network.parent.iterdir()) == before


def test_conversions_are_not_taken_for_layers(network):
    with open_backend(network, "cpu") as backend:
        backend.info = replace(backend.info, precision="fp16")
        with pytest.raises(InputError, match="profile the FP32 file, or an engine"):
            check_profiler(backend)


def test_launches_are_not_taken_for_layers(network):
    with open_backend(network, "cpu") as backend:
        check_profiler(backend)
        backend.provider = "CUDAExecutionProvider"
        with pytest.raises(InputError, match="on the CPU only"):
            check_profiler(backend)
