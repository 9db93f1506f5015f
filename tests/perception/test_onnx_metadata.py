import json

import pytest

from perception.errors import InputError
from perception.onnx_metadata import parse_deployed, read_deployed
from perception.spec import ONNX_METADATA_KEY, Deployed, InputSpec

onnx = pytest.importorskip("onnx")
DEPLOYED = Deployed("yolop", InputSpec((64, 96)), "fp16", 1500, 2_000_000, "ab" * 32)


def save(path, **metadata):
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "relu", [value], [out])
    model = onnx.helper.make_model(graph, producer_name="a test", model_version=300)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def test_reads_what_the_onnx_library_wrote(tmp_path):
    metadata = {"other": "ä" * 300, ONNX_METADATA_KEY: json.dumps(DEPLOYED.to_json())}
    assert read_deployed(save(tmp_path / "x.onnx", **metadata)) == DEPLOYED


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({}, "not written by this project"),
        ({"other": "1"}, "not written by this project"),
        ({ONNX_METADATA_KEY: "{"}, "malformed"),
        ({ONNX_METADATA_KEY: "[]"}, "malformed"),
        ({ONNX_METADATA_KEY: "[" * 100_000}, "malformed"),
        ({ONNX_METADATA_KEY: json.dumps(DEPLOYED.to_json()).replace("64", "1e999")}, "malformed"),
    ],
)
def test_files_of_others(tmp_path, metadata, fault):
    path = save(tmp_path / "x.onnx", **metadata)
    with pytest.raises(InputError, match=fault) as refused:
        read_deployed(path)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_every_way_of_being_cut_short_is_an_input_error(tmp_path):
    whole = save(tmp_path / "x.onnx", **{ONNX_METADATA_KEY: json.dumps(DEPLOYED.to_json())}).read_bytes()
    cut = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_deployed(cut)


@pytest.mark.parametrize("content", [b"\xff" * 64, b"\x72\x7f", b"\x72\x02\x08\x05", b"\x07" * 9])
def test_bytes_that_make_no_sense(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not an ONNX file"):
        read_deployed(path)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_deployed(tmp_path / "x.onnx")


def test_parse_needs_a_text(tmp_path):
    assert parse_deployed(tmp_path, json.dumps(DEPLOYED.to_json())) == DEPLOYED
    with pytest.raises(InputError, match="no 'panoedge' metadata"):
        parse_deployed(tmp_path, None)
