import argparse
from dataclasses import replace

import numpy as np
import pytest

from perception.errors import InputError
from perception.files import read_json
from perception.layer_bundle import Axes, Bundle, write_index
from perception.layer_times import Grid, Kind, Layer, LayerTimes, parse_times
from runtime import cost_command
from runtime.cost import Patience, fit, measure_costs

CONV = Kind("conv", (24, 40), (3, 3), (1, 1), (1, 1))
QUICK = Patience(passes=2, count=2, seconds=0)


@pytest.fixture
def folder(network, tmp_path):
    """Layers of two input and two output widths beside a whole network."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    bundle = Bundle("known", "fp32", {CONV: Axes((8, 64), (8, 64))}, {"whole.onnx": (Layer(CONV, 64, 8),)})
    write_index(tmp_path, bundle)
    (tmp_path / "whole.onnx").write_bytes(network.read_bytes())
    for name, layer in bundle.layers():
        weight = np.full((layer.outputs, layer.inputs, 3, 3), 0.01, np.float32)
        graph = helper.make_graph(
            [helper.make_node("Conv", ["image", "weight"], ["out"], pads=[1] * 4)],
            "layer",
            [helper.make_tensor_value_info("image", kind, (1, layer.inputs, *CONV.size))],
            [helper.make_tensor_value_info("out", kind, (1, layer.outputs, *CONV.size))],
            [onnx.numpy_helper.from_array(weight, "weight")],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / name)
    return tmp_path


def test_every_layer_is_measured(folder):
    times = measure_costs(folder, "cpu", patience=QUICK)
    grid = times.grids[CONV]
    assert (grid.inputs, grid.outputs) == ((8, 64), (8, 64))
    assert all(ms > 0 for row in grid.ms for ms in row)
    # 64 times the arithmetic.
    assert grid.at(64, 64) > grid.at(8, 8)
    assert times.device["provider"] == "CPUExecutionProvider" and times.device["threads"] == 1
    (check,) = times.checks
    assert check["predicted"] == pytest.approx(check["ms"]) and times.network == "known"


def test_command_writes_what_was_measured(folder, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    cost_command.register(parser.add_subparsers())
    out = tmp_path / "costs.json"
    arguments = parser.parse_args(["cost", str(folder), "--provider", "cpu", "--out", str(out)])
    arguments.run(arguments)
    assert set(parse_times(out, read_json(out)).grids) == {CONV}
    printed = capsys.readouterr().out
    assert "4 layers of 1 kinds" in printed and "whole.onnx" in printed


def test_a_file_that_is_not_there(folder):
    (folder / "layer0-8-64.onnx").unlink()
    with pytest.raises(InputError, match="layer0-8-64"):
        measure_costs(folder, "cpu", patience=QUICK)


def fitted(*ms):
    """Networks whose layers take 1, 2 and 3 ms by themselves."""
    grid = Grid((8,), (8, 16, 24), ((1.0, 2.0, 3.0),))
    wholes = {f"{width}": (Layer(CONV, 8, width),) for width in (8, 16, 24)}
    bundle = Bundle("known", "fp32", {CONV: Axes(grid.inputs, grid.outputs)}, wholes)
    return fit(LayerTimes("known", "fp32", {}, {CONV: grid}), bundle, dict(zip(wholes, ms, strict=True)))


def test_fit_finds_what_is_fixed_and_the_scale():
    times = fitted(0.7, 0.9, 1.1)
    assert (times.fixed, times.scale) == pytest.approx((0.5, 0.2))
    assert [check["predicted"] for check in times.checks] == pytest.approx([0.7, 0.9, 1.1])


def test_nothing_fixed_is_negative():
    times = fitted(1.0, 2.5, 4.0)
    assert times.fixed == 0 and times.scale == pytest.approx(1.158, abs=1e-3)


def test_fit_is_that_of_relative_errors():
    off = [abs(check["predicted"] / check["ms"] - 1) for check in fitted(10, 30, 20).checks]
    moved = replace(fitted(10, 30, 20), fixed=fitted(10, 30, 20).fixed + 0.1)
    ms = {8: 10, 16: 30, 24: 20}
    assert sum(x**2 for x in off) < sum((moved.total([Layer(CONV, 8, w)]) / m - 1) ** 2 for w, m in ms.items())
