"""The road of layer times: a checkpoint, layers, times, and a network pruned by them."""

import json
from functools import partial

import pytest
import torch

from export.onnx_writer import export_onnx
from panoedge import cost_command
from panoedge.cli import main
from perception import checkpoint
from perception.files import read_json
from perception.layer_bundle import read_index
from perception.layer_times import parse_times
from perception.networks.yolop import YOLOP
from runtime.cost import Patience, measure_costs

SIZE = (64, 96)


@pytest.fixture
def source(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(path, YOLOP(width=0.1, size=SIZE).eval(), [])
    return path


def test_layers_are_measured_here_or_elsewhere(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost_command, "SHARES", (1.0,))  # each takes seconds to export
    quick = partial(measure_costs, patience=Patience(passes=1, count=1, seconds=0))
    monkeypatch.setattr("runtime.cost_command.measure_costs", quick)
    folder, costs = tmp_path / "layers", tmp_path / "costs.json"
    assert main(["cost", str(source), "--bundle", str(folder)]) == 0
    bundle = read_index(folder)
    assert all((folder / name).is_file() for name, _ in bundle.layers()) and list(bundle.wholes) == ["network-1.onnx"]
    assert main(["cost", str(folder), "--provider", "cpu", "--out", str(costs)]) == 0
    times = parse_times(costs, read_json(costs))
    assert times.network == "yolop" and times.grids.keys() == bundle.axes.keys()
    assert "network-1.onnx" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--out", "costs.json", "--bundle", "layers"]])
def test_here_or_elsewhere_not_both(source, options, capsys):
    assert main(["cost", str(source), *options]) == 2
    assert "either --out FILE" in capsys.readouterr().err


def test_what_cannot_be_written_or_would_be_ignored_is_told_before_the_work(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost_command, "write_layers", None)
    bundle, layers = ["--bundle", str(tmp_path / "b")], tmp_path / "layers"
    layers.mkdir()
    for arguments, fault in (
        ([str(source), "--out", str(tmp_path)], "is a folder, a file name is needed"),
        ([str(source), *bundle, "--target", "tensorrt"], "where layers are measured"),
        ([str(layers), *bundle], "layers are written already"),
        ([str(layers), "--precision", "fp16", "--out", str(tmp_path / "c.json")], "layers are written already"),
    ):
        assert main(["cost", *arguments]) == 2
        assert fault in capsys.readouterr().err


def test_what_is_no_checkpoint_and_no_folder(tmp_path, capsys):
    assert main(["cost", str(tmp_path / "none.safetensors"), "--bundle", str(tmp_path / "layers")]) == 2
    assert "none.safetensors" in capsys.readouterr().err


def test_a_report_with_a_profile_is_enough_to_prune_for_time(source, tmp_path, capsys):
    model, report, out = (tmp_path / name for name in ("tiny.onnx", "report.json", "pruned.safetensors"))
    export_onnx(source, model, agree=lambda *_: None)
    bench = ["bench", str(model), "--provider", "cpu", "--threads", "1", "--seconds", "0.01", "--count", "1"]
    assert main([*bench, "--profile", "--json", str(report)]) == 0
    data = tmp_path / "scenes"
    assert main(["data", "synthesize", str(data), "--train", "4", "--val", "1", "--size", "128x96"]) == 0
    prune = ["prune", str(source), "--data", str(data), "--importance", "magnitude", "--round-to", "1", "--rounds", "1"]
    prune += ["--protect", "0", "--refine", "1", "--budget", "latency=0.9", "--costs", str(report), "--out", str(out)]
    assert main(prune) == 0
    record = checkpoint.load(out).history[-1]
    measured = json.loads(report.read_text())["models"][0]["speed"]["network"]["ms"]["p50"]
    assert record["before"]["latency"] == pytest.approx(measured)
    assert record["kept"]["latency"] == pytest.approx(0.9, abs=0.01)
    assert main([*bench, "--json", str(report)]) == 0
    capsys.readouterr()
    assert main(prune) == 2
    assert "report.json: has no profile; measure again" in capsys.readouterr().err


def test_a_budget_in_time_needs_times(source, tmp_path, capsys):
    arguments = ["prune", str(source), "--data", str(tmp_path), "--budget", "latency=0.6", "--out", str(tmp_path / "x")]
    assert main(arguments) == 2
    assert "needs --costs" in capsys.readouterr().err
