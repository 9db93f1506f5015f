import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import shutil

from panoedge.ablate import latency
from panoedge.ablate.latency import latencies
from perception.errors import InputError
from perception.files import read_json
from runtime.timing import Effort

SOME = Effort(seconds=0.02, count=4, warm_up=0.1, slices=2)


def test_latency_is_relative_and_measured_once(checkpoint_file, onnx_file, tmp_path, monkeypatch):
    def copied(source, out, **_):
        out.parent.mkdir(exist_ok=True)
        shutil.copy(onnx_file, out)

    monkeypatch.setattr(latency, "export_onnx", copied)
    networks = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for path in networks:
        path.write_bytes(checkpoint_file.read_bytes())
    found = latencies(checkpoint_file, networks, tmp_path, SOME)
    assert list(found) == networks and all(0.01 < share < 100 for share in found.values())
    assert len(list((tmp_path / "onnx").glob("*.onnx"))) == 3
    assert read_json(tmp_path / "latency.json") == {path.name: share for path, share in found.items()}
    assert latencies(checkpoint_file, networks, tmp_path, SOME) == found
    # What comes later is measured by itself.
    networks.append(tmp_path / "c.safetensors")
    networks[-1].write_bytes(checkpoint_file.read_bytes())
    more = latencies(checkpoint_file, networks[1:], tmp_path, SOME)
    assert list(more) == networks[1:] and more[networks[1]] == found[networks[1]]
    assert list(read_json(tmp_path / "latency.json")) == ["a.safetensors", "b.safetensors", "c.safetensors"]


@pytest.mark.parametrize("content", ["[1]", '{"a": "x"}', '{"a": -1}', '{"networks": ["a"], "shares": [1]}'])
def test_a_damaged_record_is_named(content, checkpoint_file, tmp_path):
    (tmp_path / "latency.json").write_text(content)
    with pytest.raises(InputError, match=r"latency\.json: malformed .*; remove it"):
        latencies(checkpoint_file, [tmp_path / "a"], tmp_path, SOME)
