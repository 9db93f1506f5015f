from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from export import onnx_writer
from export.commands import register_export, register_onnx
from export.session import open_session
from perception import checkpoint, parity
from perception.command import main
from perception.cost import Cost, cost
from perception.spec import Deployed, InputSpec
from perception.synthetic import render


def _run(*arguments) -> int:
    return main("test", "", [register_onnx, register_export], [str(argument) for argument in arguments])


@pytest.fixture
def pruned(source, tmp_path) -> Path:
    """One hidden channel less in the first CSP block."""
    network = checkpoint.load(source).network
    full = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    widths = checkpoint.layer_widths(network)
    first, second = "model.2.m.0.cv1", "model.2.m.0.cv2"
    left = widths[f"{first}.conv"][1] - 1
    widths[f"{first}.conv"][1] = widths[f"{second}.conv"][0] = left
    widths[f"{first}.bn"] = [left, left, 1]
    checkpoint.set_layer_widths(network, widths)
    kept = {key: full[key][tuple(slice(side) for side in t.shape)] for key, t in network.state_dict().items()}
    network.load_state_dict(kept)
    path = tmp_path / "pruned.safetensors"
    checkpoint.save(path, network, [])
    return path


def test_pruned_network_at_another_size_and_batch(pruned, network, tmp_path, capsys):
    pictures, out = tmp_path / "pictures", tmp_path / "deep" / "pruned.onnx"
    pictures.mkdir()
    for seed in range(3):
        cv2.imwrite(str(pictures / f"{seed}.png"), render(seed, (64, 96)).image)
    arguments = ("--size", "96x64", "--batch", "2", "--images", pictures)
    assert _run("export", "onnx", pruned, "--out", out, *arguments) == 0
    printed = capsys.readouterr().out
    assert "boxes, px" in printed
    assert f"{out}: yolop in FP32, input 96x64 (HxW), batch 2" in printed
    session = open_session(out)
    costs = cost(checkpoint.load(pruned).network, (96, 64))
    assert session.batch == 2
    assert session.info.spec == replace(network.spec, size=(96, 64))
    assert Cost(session.info.parameters, session.info.macs) == costs
    assert costs.parameters < cost(network).parameters


@pytest.mark.parametrize("name", ["network.safetensors", "network"])
def test_another_name_than_that_of_an_onnx_file_is_refused(source, tmp_path, capsys, name):
    before = source.read_bytes()
    assert _run("onnx", source, "--out", source if name == source.name else tmp_path / name) == 2
    assert "the name of an ONNX file ends in .onnx" in capsys.readouterr().err
    assert source.read_bytes() == before and not (tmp_path / "network").exists()


def test_thresholds_travel_in_the_file(source, network, tmp_path, traced_before, capsys):
    out = tmp_path / "tiny.onnx"
    assert _run("onnx", source, "--out", out, "--threshold", "lane=0.2") == 0
    assert open_session(out).info.spec.thresholds == {**network.spec.thresholds, "lane": 0.2}
    for wrong in ("lane", "lane=1.5", "lane=x", "detection=0.5"):
        assert _run("onnx", source, "--out", tmp_path / "other.onnx", "--threshold", wrong) == 2
        assert f"{wrong!r}: expected drivable or lane and a probability" in capsys.readouterr().err
    assert not (tmp_path / "other.onnx").exists()


def test_what_was_not_looked_at_is_said(tmp_path, monkeypatch, capsys):
    def export(source, out, precision, **options) -> Deployed:
        out.write_bytes(b"a network")
        return Deployed("net", InputSpec((64, 96)), precision, 1, 1, "")

    monkeypatch.setattr(onnx_writer, "export_onnx", export)

    def said(*arguments) -> list[bool]:
        assert _run("onnx", "x.safetensors", "--out", tmp_path / "tiny.onnx", *arguments) == 0
        printed = capsys.readouterr().out
        return [caveat in printed for caveat in ("calibrated on generated scenes", "metrics not compared")]

    assert said() == [False, False]
    assert said("--precision", "fp16") == [True, True]
    assert said("--precision", "fp16", "--images", "photographs") == [False, True]
    assert said("--precision", "fp16", "--data", "labelled") == [False, False]


def test_disagreement_is_a_failed_gate_and_leaves_no_file(source, tmp_path, traced_before, monkeypatch, capsys):
    monkeypatch.setitem(parity.LIMITS, "fp32", parity.Limits(1e-12, 1e-12, 0.0, 0.0))
    out = tmp_path / "tiny.onnx"
    assert _run("onnx", source, "--out", out) == 1
    captured = capsys.readouterr()
    assert f"gate failed: {out}: not written, it differs from the network in scores" in captured.err
    assert "largest" in captured.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--size", "100x96"), "100x96"),
        (("--size", "large"), "'large'"),
        (("--batch", "0"), "batch 0"),
        (("--precision", "int4"), "int4"),
        (("--precision", "int8"), "--images or --data"),
        (("--precision", "fp16", "--fp32-nodes", "nowhere*"), "nowhere*"),
    ],
)
def test_bad_input_takes_one_line(source, tmp_path, traced_before, arguments, fault, capsys):
    assert _run("onnx", source, "--out", tmp_path / "x.onnx", *arguments) == 2
    error = capsys.readouterr().err
    assert fault in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
