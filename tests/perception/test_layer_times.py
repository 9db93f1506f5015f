import json

import pytest

from perception.errors import InputError
from perception.files import read_json
from perception.layer_times import Grid, Kind, Layer, LayerTimes, parse_times, write_times

CONV = Kind("conv", (24, 40), (3, 3), (2, 2), (1, 1))
LINEAR = Kind("linear", (300, 1))
GRID = Grid((8, 16, 32), (8, 16), ((1.0, 2.0), (2.0, 4.0), (10.0, 20.0)))
TIMES = LayerTimes(
    "yolop", "fp16", {"name": "board"}, {CONV: GRID, LINEAR: GRID}, 0.5, 2.0, ({"name": "all", "ms": 3},)
)


def read(path) -> LayerTimes:
    return parse_times(path, read_json(path))


@pytest.mark.parametrize("inputs, outputs, ms", [(8, 8, 1), (32, 16, 20), (16, 12, 3), (24, 8, 6), (12, 12, 2.25)])
def test_linear_between_what_was_measured(inputs, outputs, ms):
    assert GRID.at(inputs, outputs) == pytest.approx(ms)


@pytest.mark.parametrize("inputs, outputs, ms", [(4, 8, 1), (64, 16, 20), (8, 99, 2), (1, 1, 1)])
def test_the_nearest_outside(inputs, outputs, ms):
    assert GRID.at(inputs, outputs) == ms


def test_one_width_is_enough():
    assert Grid((1,), (8, 16), ((1.0, 2.0),)).at(1, 12) == 1.5


@pytest.mark.parametrize("parts", [((), (8,), ()), ((16, 8), (8,), ((1,), (1,))), ((8,), (8, 16), ((1,),))])
def test_numbers_that_make_no_grid(parts):
    with pytest.raises(ValueError):
        Grid(*parts)


def test_a_network_is_what_is_fixed_and_its_layers():
    layers = [Layer(CONV, 8, 16), Layer(LINEAR, 16, 8), Layer(CONV, 8, 16)]
    assert TIMES.total(layers) == 0.5 + 2 * (2 + 2 + 2)


def test_kinds_have_names():
    assert str(CONV) == "conv 3x3/2 at 24x40" and str(LINEAR) == "linear 1x1 at 300x1"


def test_written_and_read(tmp_path):
    write_times(tmp_path / "costs.json", TIMES)
    assert read(tmp_path / "costs.json") == TIMES


@pytest.mark.parametrize(
    "change",
    [{"format": 1}, {"grids": [{}]}, {"scale": None, "grids": 3}, {"checks": 1}, {"fixed": "1"}, {"scale": 1e999}],
)
def test_anything_else_is_refused(tmp_path, change):
    (tmp_path / "costs.json").write_text(json.dumps({**TIMES.to_json(), **change}))
    with pytest.raises(InputError, match=r"costs\.json: no layer times .*panoedge cost"):
        read(tmp_path / "costs.json")


def test_a_list_is_refused(tmp_path):
    (tmp_path / "costs.json").write_text("[]")
    with pytest.raises(InputError, match="no layer times"):
        read(tmp_path / "costs.json")
