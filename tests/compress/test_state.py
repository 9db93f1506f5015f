import copy
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from compress.state import load_state, save_state
from perception.errors import InputError

SETTINGS = {"epochs": 4, "lr": 0.1}
RECIPE = {"data": ["scenes:1"]}
HEADER = {
    "epoch": 2,
    "batches_done": 1,
    "left_out": 3,
    "seconds": 7.5,
    "validation": [{"epoch": 2, "lane_IoU": 0.5}],
    "scaler": {},
    "settings": SETTINGS,
    "recipe": RECIPE,
}


def make(width=3, seed=0):
    torch.manual_seed(seed)
    trained = nn.Sequential(nn.Conv2d(2, width, 3), nn.BatchNorm2d(width))
    return trained, copy.deepcopy(trained), torch.optim.AdamW(trained.parameters(), lr=0.1)


def stepped(seed=0):
    trained, average, optimizer = make(seed=seed)
    trained(torch.ones(2, 2, 5, 5)).square().sum().backward()
    optimizer.step()
    return trained, average, optimizer


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "run.state.safetensors"
    save_state(path, *stepped(), HEADER)
    return path


def test_round_trip_is_exact(written):
    trained, average, optimizer = stepped()
    others = make(seed=1)
    assert load_state(written, *others, SETTINGS, RECIPE) == HEADER
    for mine, other in zip((trained, average), others, strict=False):
        pairs = zip(mine.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    mine, other = (each.state_dict()["state"] for each in (optimizer, others[2]))
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[key][name], other[key][name]) for key in mine for name in mine[key])


def test_other_settings_are_named(written):
    with pytest.raises(InputError, match="another lr;"):
        load_state(written, *make(), {**SETTINGS, "lr": 0.2}, RECIPE)


def test_a_state_that_lacks_a_setting_is_refused(tmp_path):
    save_state(tmp_path / "x.safetensors", *stepped(), {**HEADER, "settings": {"epochs": 4}})
    with pytest.raises(InputError, match="another lr;"):
        load_state(tmp_path / "x.safetensors", *make(), SETTINGS, RECIPE)


def test_another_recipe_is_named(written):
    with pytest.raises(InputError, match="another data;"):
        load_state(written, *make(), SETTINGS, {"data": ["photographs:1"]})
    with pytest.raises(InputError, match="another data;"):
        load_state(written, *make(), SETTINGS, {})


def test_a_state_without_a_recipe_is_taken(tmp_path):
    header = {key: value for key, value in HEADER.items() if key != "recipe"}
    save_state(tmp_path / "old.safetensors", *stepped(), header)
    assert load_state(tmp_path / "old.safetensors", *make(), SETTINGS, RECIPE) == header


@pytest.mark.parametrize(
    "broken",
    (
        {"scaler": None},
        {"epoch": "x"},
        {"epoch": -1},
        {"epoch": 10**400},
        {"batches_done": "x"},
        {"batches_done": -1},
        {"settings": []},
        {"recipe": []},
        {"settings": None},
        {"seconds": "x"},
        {"validation": 3},
        {"validation": [3]},
    ),
)
def test_malformed_header_is_refused(tmp_path, broken):
    path = tmp_path / "run.state.safetensors"
    save_state(path, *stepped(), {**HEADER, **broken})
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(path, *make(), SETTINGS, RECIPE)


@pytest.mark.parametrize("change", ["absent", "another", "of another shape", "of a weight that there is not"])
def test_moments_that_the_next_step_would_stumble_over_are_refused(written, change):
    with safe_open(written, framework="pt") as file:
        tensors, header = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    if change == "absent":
        del tensors["optimizer/0/exp_avg"]
    elif change == "another":
        tensors["optimizer/0/max_exp_avg_sq"] = torch.zeros(3)
    elif change == "of another shape":
        tensors["optimizer/0/exp_avg"] = torch.zeros(())
    else:
        tensors["optimizer/99/step"] = torch.zeros(())
    save_file(tensors, written, header)
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(written, *make(), SETTINGS, RECIPE)


def test_other_network_is_refused(written):
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(written, *make(width=4), SETTINGS, RECIPE)


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_truncated_file_is_refused(written, length):
    written.write_bytes(written.read_bytes()[:length])
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(written, *make(), SETTINGS, RECIPE)


def test_other_safetensors_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(path, *make(), SETTINGS, RECIPE)


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("code in the file was run",)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(InputError, match="cannot be resumed"):
        load_state(path, *make(), SETTINGS, RECIPE)
