import copy
from dataclasses import replace

import pytest
import torch

from compress.data import Frames, Source
from compress.latency import layers_of, widths_to_measure
from compress.names import IMPORTANCES
from compress.plan import Budget
from compress.prune import PruneSettings, budget_of, prune, prune_checkpoint
from perception import checkpoint
from perception.cost import cost
from perception.errors import InputError
from perception.layer_times import write_times

SETTINGS = PruneSettings(
    Budget("params", 0.7), rounds=2, calibration=4, reestimation=6, batch=2, round_to=4, device="cpu"
)


@pytest.fixture
def frames(dataset, network):
    return Frames([Source(dataset)], "train", network.spec)


def answer(network):
    with torch.no_grad():
        raw = network(torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    return [*raw["detection"], raw["drivable"], raw["lane"]]


@pytest.mark.parametrize("name", IMPORTANCES)
@pytest.mark.parametrize("kind", ["params", "macs"])
def test_budget_is_met_and_the_record_says_so(network, frames, name, kind):
    before = cost(network)
    record = prune(network, frames, replace(SETTINGS, importance=name, budget=Budget(kind, 0.7)))
    after = cost(network)
    share = {"params": after.parameters / before.parameters, "macs": after.macs / before.macs}
    assert 0.68 < share[kind] <= 0.7 * 1.005
    assert record["stage"] == "prune" and record["importance"] == name
    assert record["before"] == {"params": before.parameters, "macs": before.macs}
    assert record["after"] == {"params": after.parameters, "macs": after.macs}
    assert record["kept"] == pytest.approx(share, abs=1e-4)
    assert record["protect"] == 0.1
    assert not network.training and all(part.isfinite().all() for part in answer(network))


def test_budget_in_time(network, frames, stairs, tmp_path):
    times, costs = stairs(widths_to_measure(network)), tmp_path / "costs.json"
    write_times(costs, times)
    record = prune(network, frames, replace(SETTINGS, budget=Budget("latency", 0.7), costs=str(costs), refine=1))
    assert record["protect"] == 0
    assert record["after"]["latency"] == pytest.approx(times.total(layers_of(network)))
    assert 0.65 < record["kept"]["latency"] <= 0.7 * 1.005
    with pytest.raises(InputError, match="needs --costs"):
        replace(SETTINGS, budget=Budget("latency", 0.7))


def test_a_budget_of_milliseconds_is_a_share_of_what_the_network_takes(network, stairs, network_file, tmp_path):
    times, costs = stairs(widths_to_measure(network)), tmp_path / "costs.json"
    write_times(costs, times)
    whole = times.total(layers_of(network))
    budget = budget_of(f"latency={0.7 * whole}ms", network_file, str(costs))
    assert budget.kind == "latency" and budget.share == pytest.approx(0.7)
    assert budget_of("latency=0.6", network_file, None) == Budget("latency", 0.6)
    with pytest.raises(InputError, match="needs --costs"):
        budget_of("latency=1ms", network_file, None)
    with pytest.raises(InputError, match="'manyms' is no number of milliseconds"):
        budget_of("latency=manyms", network_file, str(costs))
    for amount in ("0", "nan", str(1.01 * whole)):
        with pytest.raises(InputError, match=rf"takes {whole:.2f} ms by .*costs\.json; ask for less"):
            budget_of(f"latency={amount}ms", network_file, str(costs))


def test_widths_are_round_and_heads_whole(network, frames):
    prune(network, frames, SETTINGS)
    for path, (_, outputs, _) in checkpoint.layer_widths(network).items():
        if not path.startswith(network.protected):
            assert outputs % SETTINGS.round_to == 0
    assert [conv.out_channels for conv in network.model[24].m] == [18] * 3
    assert network.model[33].conv.out_channels == network.model[42].conv.out_channels == 2


def test_a_task_that_counts_more_gives_up_less(network, frames):
    given_up = []
    for weights in ({}, {"detection": 8.0}):
        settings = replace(SETTINGS, budget=Budget("params", 0.5), rounds=1, protect=0.0, weights=weights)
        record = prune(copy.deepcopy(network), frames, settings)
        assert record["weights"] == weights and list(record["given_up"][0]) == ["detection", "drivable", "lane"]
        given_up.append(record["given_up"][0]["detection"])
    assert given_up[1] < given_up[0]


def test_region_and_layers_to_keep_leave_the_rest(network, frames):
    widths = checkpoint.layer_widths(network)
    kept = ["model.1", "model.8"]
    record = prune(network, frames, replace(SETTINGS, region="backbone+neck", keep=kept, budget=Budget("params", 0.8)))
    after = checkpoint.layer_widths(network)
    changed = {int(path.split(".")[1]) for path in widths if widths[path][1] != after[path][1]}
    assert changed and max(changed) < 24 and not changed & {1, 8}
    assert record["keep"] == kept
    assert "keep" not in SETTINGS.recipe()


def test_recipe_names_the_score_of_a_baseline():
    by_kind = [
        replace(SETTINGS, importance="taylor", budget=Budget(kind, 0.5), costs="c").recipe()["score"]
        for kind in ("params", "latency")
    ]
    assert by_kind == [["mean", "lamp"], ["first", None]]
    assert "score" not in SETTINGS.recipe()


def test_same_seed_same_network(network, frames):
    first, again = copy.deepcopy(network), copy.deepcopy(network)
    for each in (first, again):
        prune(each, frames, SETTINGS)
    assert checkpoint.layer_widths(first) == checkpoint.layer_widths(again)
    assert all(torch.equal(a, b) for a, b in zip(answer(first), answer(again), strict=True))


def test_pruned_checkpoint_is_rebuilt_from_the_file_alone(tmp_path, network, dataset):
    source, out = tmp_path / "teacher.safetensors", tmp_path / "pruned.safetensors"
    checkpoint.save(source, network, [{"stage": "train"}])
    record = prune_checkpoint(source, [Source(dataset)], SETTINGS, out)
    loaded = checkpoint.load(out)
    assert [stage["stage"] for stage in loaded.history] == ["train", "prune"]
    assert loaded.history[-1]["kept"] == record["kept"]
    assert cost(loaded.network).parameters == record["after"]["params"]
    again = checkpoint.load(source).network
    prune(again, Frames([Source(dataset)], "train", again.spec), SETTINGS)
    pairs = zip(answer(again), answer(loaded.network), strict=True)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-6) for a, b in pairs)


@pytest.mark.parametrize(
    "wrong",
    (
        {"rounds": 0},
        {"calibration": 0},
        {"round_to": 0},
        {"protect": 1.5},
        {"conflict": -0.1},
        {"refine": -1},
        {"floor": 2},
        {"seed": -1},
    ),
)
def test_settings_that_make_no_sense_are_refused(wrong):
    name = next(iter(wrong)).replace("_", "-")
    with pytest.raises(InputError, match=f"^{name} "):
        replace(SETTINGS, **wrong)


def test_what_a_budget_of_time_changes():
    plain, timed = SETTINGS, replace(SETTINGS, budget=Budget("latency", 0.5), costs="costs.json")
    plain, timed = replace(plain, protect=None, refine=None), replace(timed, protect=None, refine=None)
    assert (plain.protected, plain.looks) == (0.1, 4)
    assert (timed.protected, timed.looks) == (0, 12)
    asked = replace(timed, protect=0.2, refine=0)
    assert (asked.protected, asked.looks) == (0.2, 0)


def test_a_task_cannot_count_for_nothing():
    with pytest.raises(InputError, match=r"^protect lane 0"):
        replace(SETTINGS, weights={"lane": 0.0})


def test_unreachable_budget_writes_nothing(tmp_path, network, dataset):
    source, out = tmp_path / "teacher.safetensors", tmp_path / "pruned.safetensors"
    checkpoint.save(source, network, [])
    with pytest.raises(InputError, match="cannot be met"):
        prune_checkpoint(source, [Source(dataset)], replace(SETTINGS, budget=Budget("params", 0.01)), out)
    assert not out.exists()
