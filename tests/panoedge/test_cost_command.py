"""The road of layer times: a checkpoint, layers, times, and a network pruned by them."""

from functools import partial

import pytest
import torch

from panoedge import cost_command
from panoedge.cli import main
from perception import checkpoint
from perception.layer_bundle import read_index
from perception.layer_times import read_times
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
    times = read_times(costs)
    assert times.network == "yolop" and times.grids.keys() == bundle.axes.keys()
    assert "network-1.onnx" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--out", "costs.json", "--bundle", "layers"]])
def test_here_or_elsewhere_not_both(source, options, capsys):
    assert main(["cost", str(source), *options]) == 2
    assert "either --out FILE" in capsys.readouterr().err


def test_what_is_no_checkpoint_and_no_folder(tmp_path, capsys):
    assert main(["cost", str(tmp_path / "none.safetensors"), "--bundle", str(tmp_path / "layers")]) == 2
    assert "none.safetensors" in capsys.readouterr().err


def test_a_budget_in_time_needs_times(source, tmp_path, capsys):
    arguments = ["prune", str(source), "--data", str(tmp_path), "--budget", "latency=0.6", "--out", str(tmp_path / "x")]
    assert main(arguments) == 2
    assert "needs --costs" in capsys.readouterr().err
