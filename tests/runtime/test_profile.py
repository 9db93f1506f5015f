import pytest

from perception.errors import InputError
from runtime.backends import open_backend
from runtime.profile import check_profiler, profile


def test_every_layer_has_a_room_and_a_time(network):
    with open_backend(network, "cpu") as backend:
        record = profile(backend)
    layers = {layer["name"]: layer for layer in record["layers"]}
    # Drivable is the brightness of the picture, lane its opposite; constant boxes take no layer.
    assert set(record["rooms"]) == {"shared", "drivable", "lane"}
    assert layers["bright"]["room"] == "shared"
    assert all(layer["ms"] >= 0 for layer in layers.values())
    for room, milliseconds in record["rooms"].items():
        assert milliseconds == pytest.approx(sum(layer["ms"] for layer in layers.values() if layer["room"] == room))


def test_nothing_is_left_behind(network):
    before = sorted(network.parent.iterdir())
    with open_backend(network, "cpu") as backend:
        profile(backend)
    assert sorted(network.parent.iterdir()) == before


def test_other_libraries_are_refused(waiting_backend):
    with pytest.raises(InputError, match=r"waiting\.onnx: --profile asks ONNX Runtime"):
        check_profiler(waiting_backend)
