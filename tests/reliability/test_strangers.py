"""A network that a stranger sent names a file of this machine for its weights: no command opens it."""

import onnx
import pytest


@pytest.fixture(scope="module")
def hostile(exported, tmp_path_factory):
    """An exported network, one weight of which lies in a file outside its folder."""
    folder = tmp_path_factory.mktemp("hostile")
    model = onnx.load(exported)
    weight = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    (folder / "secret").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    path = folder / "given" / "network.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "MODEL", "--data", "SCENES"],
        ["bench", "MODEL", "--seconds", 0.1],
        ["run", "MODEL", "--source", "SCENES/images/val", "--out", "OUT"],
        ["info", "MODEL"],
        ["export", "engine", "MODEL", "--out", "OUT/network.engine"],
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_no_command_opens_what_a_network_names(panoedge, scenes, hostile, tmp_path, command):
    places = {"MODEL": hostile, "SCENES": scenes, "OUT": tmp_path / "out"}
    argv = []
    for part in map(str, command):
        first, *rest = part.split("/")
        argv.append(places[first].joinpath(*rest) if first in places else part)
    done = panoedge.run(*argv)
    assert done.status == 2
    assert done.lines[-1] == (
        f"panoedge: {hostile}: keeps weights in another file, which is not opened; export it again"
    )
