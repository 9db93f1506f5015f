import itertools
import json

import pytest

pytest.importorskip("torch_pruning")

from dataclasses import asdict, replace

from compress.train import state_file
from panoedge.ablate.cells import Study, known_record
from panoedge.ablate.rows import COSTS, rows
from panoedge.ablate.settings import RECOVERIES, AblationSettings, Cell
from perception import checkpoint
from perception.errors import InputError

TINY = AblationSettings(
    methods=("magnitude", "safe"),
    contenders=("safe",),
    shares=(0.8,),
    recoveries=("labels", "kd"),
    recovery_shares=(0.8,),
    seeds=1,
    epochs=1,
    batch=2,
    rounds=1,
    calibration=2,
    reestimation=2,
    frames=2,
    device="cpu",
)


@pytest.fixture
def study(checkpoint_file, dataset, tmp_path):
    return Study(checkpoint_file, dataset, TINY, tmp_path / "out")


def written(study):
    return {path: path.stat().st_mtime_ns for path in study.out.rglob("*.json")}


def test_cells_are_made_once(study):
    cells = TINY.cells()
    assert [(cell.method, cell.recovery) for cell in cells] == [
        ("teacher", "none"),
        ("magnitude", "none"),
        ("safe", "none"),
        ("safe", "labels"),
        ("safe", "kd"),
    ]
    records = [study.result(cell) for cell in cells]
    before = written(study)
    again = Study(study.teacher, study.data, TINY, study.out)
    assert [again.result(cell) for cell in cells] == json.loads(json.dumps(records))
    assert written(study) == before and len(before) == len(cells)

    found = rows(records, {cells[1]: 0.9})
    assert found[0].costs == dict.fromkeys(COSTS, 1.0)
    assert found[1].costs["latency"] == 0.9 and "latency" not in found[2].costs
    assert all(row.costs["params"] == pytest.approx(0.8, abs=0.03) for row in found[1:])
    network = study.network(cells[-1])
    stages = [stage["stage"] for stage in checkpoint.load(network).history]
    assert stages[-2:] == ["prune", "distill"]
    # As a process leaves it that is killed right after it wrote the network.
    state_file(network).touch()
    assert study.network(cells[-1]) == network and not state_file(network).exists()


def test_methods_that_are_the_same_share_a_cell(study, monkeypatch):
    first = study.result(Cell("safe", 0.8, "none", 0))
    before = written(study)
    monkeypatch.setattr("panoedge.ablate.cells.prune_checkpoint", None)
    second = study.result(Cell("safe-protected", 0.8, "none", 0))
    assert second == json.loads(json.dumps(first)) | {"cell": second["cell"]}
    assert second["cell"]["method"] == "safe-protected" and written(study) == before
    assert study.network(Cell("safe-protected", 0.8, "none", 0)) == study.network(Cell("safe", 0.8, "none", 0))
    with pytest.raises(TypeError):
        study.result(Cell("safe-unprotected", 0.8, "none", 0))


@pytest.mark.parametrize(
    "change",
    [
        {"cell": None},
        {"cell": {**asdict(TINY.cells()[0]), "method": []}},
        {"metrics": {}},
        {"metrics": {"lane": 3}},
        {"params": 0},
        {"macs": "many"},
        {"seconds": -1},
    ],
)
def test_a_damaged_record_is_named(change, tmp_path):
    cell = TINY.cells()[0]
    metrics = {"lane": {"IoU": 0.5, "ACC": 0.8}}
    whole = {"cell": asdict(cell), "params": 9, "macs": 99, "metrics": metrics, "seconds": 0}
    (tmp_path / "cell.json").write_text(json.dumps(whole))
    assert known_record(tmp_path / "cell.json", cell) == whole
    (tmp_path / "cell.json").write_text(json.dumps({**whole, **change}))
    with pytest.raises(InputError, match=r"cell\.json: malformed .*; remove it"):
        known_record(tmp_path / "cell.json", cell)


def test_records_of_other_tasks_are_not_compared():
    def record(cell, *tasks):
        figures = {"lane": {"IoU": 0.5, "ACC": 0.8}, "drivable": {"mIoU": 0.9}}
        metrics = {task: figures[task] for task in tasks}
        return {"cell": asdict(cell), "params": 9, "macs": 99, "metrics": metrics, "seconds": 0}

    teacher, cell, *_ = TINY.cells()
    with pytest.raises(InputError, match="measured on other tasks than the teacher"):
        rows([record(teacher, "lane"), record(cell, "lane", "drivable")], {})


def test_other_settings_are_other_cells(study):
    cell = Cell("magnitude", 0.8, "none", 0)
    study.result(cell)
    for changed in ({"frames": 1}, {"reestimation": 4}, {"kind": "macs"}):
        before = len(written(study))
        other = Study(study.teacher, study.data, replace(TINY, **changed), study.out)
        assert other.result(cell)["recipe"] != study.result(cell)["recipe"]
        assert len(written(study)) == before + 1
    trained = [study._recipe(Cell("safe", 0.8, recovery, 0))["recovery"] for recovery in RECOVERIES]
    assert all(a != b for a, b in itertools.combinations(trained, 2))
    # Not left open: another version may decide otherwise.
    pruning = study._recipe(Cell("safe", 0.8, "none", 0))["pruning"]
    assert (pruning["protect"], pruning["refine"]) == (0.1, 4)
    # What only recoveries depend on changes nothing here.
    Study(study.teacher, study.data, replace(TINY, epochs=9), study.out).result(cell)
    assert len(written(study)) == before + 1


def test_a_cell_knows_the_costs_that_it_was_chosen_by(study, tmp_path):
    file = tmp_path / "costs.json"
    study = Study(study.teacher, study.data, replace(TINY, kind="latency", costs=str(file)), study.out)
    found = []
    for milliseconds in (1.0, 2.0):
        file.write_text(json.dumps({"milliseconds": milliseconds}))
        again = Study(study.teacher, study.data, study.settings, study.out)
        found.append(again._recipe(Cell("safe", 0.8, "none", 0))["pruning"]["costs"])
    assert len(set(found)) == 2


def test_a_budget_out_of_reach_is_a_fault(study):
    cell = Cell("safe", 0.01, "none", 0)
    record = study.result(cell)
    assert "cannot be met" in record["fault"] and "metrics" not in record
    assert study.result(cell) == record
    row = rows([study.result(TINY.cells()[0]), record], {})[1]
    assert row.scores == row.costs == {} and row.fault == record["fault"]
