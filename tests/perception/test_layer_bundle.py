import json

import pytest

from perception.errors import InputError
from perception.layer_bundle import INDEX, Axes, Bundle, read_index, write_index
from perception.layer_times import Kind, Layer

CONV, DEPTHWISE = Kind("conv", (24, 40), (3, 3)), Kind("depthwise", (24, 40), (3, 3))
BUNDLE = Bundle(
    "yolop",
    "fp16",
    {CONV: Axes((8, 16), (8, 16, 24)), DEPTHWISE: Axes((1,), (8,))},
    {"network-1.onnx": (Layer(CONV, 16, 24), Layer(DEPTHWISE, 1, 8), Layer(CONV, 8, 8))},
)


def test_every_input_width_with_every_output_width():
    layers = list(BUNDLE.layers())
    assert len({name for name, _ in layers}) == len(layers) == 7
    assert [(layer.inputs, layer.outputs) for _, layer in layers] == [
        *((inputs, outputs) for inputs in (8, 16) for outputs in (8, 16, 24)),
        (1, 8),
    ]


def test_written_and_read(tmp_path):
    write_index(tmp_path, BUNDLE)
    assert read_index(tmp_path) == BUNDLE


def test_any_other_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf"no folder of layers \({INDEX} is absent\)"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    "change", [{"format": 1}, {"axes": []}, {"wholes": {}}, {"wholes": {"a.onnx": [[5, 8, 8]]}}, {"wholes": 3}]
)
def test_a_malformed_index_is_refused(tmp_path, change):
    (tmp_path / INDEX).write_text(json.dumps({**BUNDLE.to_json(), **change}))
    with pytest.raises(InputError, match="malformed"):
        read_index(tmp_path)


def test_a_short_index_cannot_name_layers_without_end(tmp_path):
    index = BUNDLE.to_json()
    index["axes"][0] |= {"inputs": list(range(1, 1000)), "outputs": list(range(1, 1000))}
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(InputError, match="more than 100000 layers"):
        read_index(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "", "a/b"])
def test_files_lie_in_the_folder(tmp_path, name):
    (tmp_path / INDEX).write_text(json.dumps({**BUNDLE.to_json(), "wholes": {name: [[0, 8, 8]]}}))
    with pytest.raises(InputError, match="a file outside of the folder"):
        read_index(tmp_path)
