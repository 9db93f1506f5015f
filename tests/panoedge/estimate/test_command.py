import json

import pytest

from panoedge import estimate
from panoedge.report import schema
from perception.command import main
from perception.errors import InputError


def panoedge(*argv):
    return main("panoedge", "", [estimate.register], ["estimate", *map(str, argv)])


def test_an_exported_network(onnx_file, tmp_path, capsys):
    assert panoedge(onnx_file, "--device", "agx-orin", "--json", tmp_path / "guess.json") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{onnx_file.name} on Jetson AGX Orin 64GB, MAXN: an ESTIMATE, not a measurement")
    for part in ("FPS", "launches", "It assumes:", "FP16 through TensorRT", "worst miss"):
        assert part in out
    guess = json.loads((tmp_path / "guess.json").read_text())
    assert guess["ms"]["lowest"] < guess["ms"]["estimate"] < guess["ms"]["highest"]
    assert sum(guess["parts_ms"].values()) == pytest.approx(guess["ms"]["estimate"])
    assert guess["assumptions"]


def test_it_counts_what_the_exporter_counted(onnx_file, tmp_path):
    import onnx

    panoedge(onnx_file, "--device", "orin-nano", "--json", tmp_path / "guess.json")
    said = json.loads(onnx.load(onnx_file).metadata_props[0].value)["macs"]
    assert json.loads((tmp_path / "guess.json").read_text())["macs"] == said


def test_power_modes(onnx_file, capsys):
    assert panoedge(onnx_file, "--device", "orin-nano", "--mode", "15w") == 0
    assert "Orin Nano 8GB, 15W" in capsys.readouterr().out
    assert panoedge(onnx_file, "--device", "orin-nano", "--mode", "5W") == 2
    assert capsys.readouterr().err.startswith("panoedge: --mode 5W: not known of orin-nano; give one of MAXN_SUPER")


def test_it_cannot_be_taken_for_a_report(onnx_file, tmp_path):
    file = tmp_path / "guess.json"
    panoedge(onnx_file, "--device", "orin-nano", "--json", file)
    with pytest.raises(InputError, match="schema"):
        schema.load(file)


def test_bad_input_takes_one_line(tmp_path, capsys):
    (tmp_path / "student.engine").write_bytes(b"\0" * 64)
    for arguments in ((tmp_path / "absent.onnx",), (tmp_path / "student.engine",)):
        assert panoedge(*arguments, "--device", "orin-nano") == 2
        assert capsys.readouterr().err.count("\n") == 1
