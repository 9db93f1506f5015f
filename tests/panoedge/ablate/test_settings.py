import pytest

from panoedge.ablate.settings import METHODS, RECOVERIES, AblationSettings, Cell, quick
from perception.errors import InputError


def test_everything_without_recovery_and_recovery_of_contenders():
    settings = AblationSettings()
    cells = settings.cells()
    plain = [cell for cell in cells if cell.recovery == "none"]
    assert len(plain) == 1 + 10 * 4 * 3
    trained = {(cell.method, cell.recovery) for cell in cells if cell.recovery != "none"}
    assert trained == {(m, r) for m in ("taylor", "safe") for r in ("labels", "kd", "kd+labels")}
    assert len(set(cells)) == len(cells) == len({cell.name for cell in cells})


def test_methods_that_are_left_out_are_not_trained_either():
    assert AblationSettings(methods=("magnitude", "safe")).trained == ("safe",)
    assert AblationSettings(methods=("safe",), contenders=("magnitude",)).trained == ("magnitude",)


def test_quick_is_small():
    assert len(quick().cells()) <= 12


def test_seeds_come_one_after_the_other():
    seeds = [cell.seed for cell in AblationSettings(contenders=()).cells()]
    assert seeds == sorted(seeds)


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_settings_of_pruning(method):
    pruning = pytest.importorskip("compress.prune")
    plan = pytest.importorskip("compress.plan")
    pruning.PruneSettings(plan.Budget("params", 0.5), **METHODS[method])


@pytest.mark.parametrize(
    "wrong",
    [
        {"methods": ("best",)},
        {"methods": ("taylor",)},
        {"contenders": ("x",)},
        {"shares": (1.2,)},
        {"seeds": 0},
        {"rounds": 0},
        {"calibration": 0},
        {"round_to": 0},
        {"kind": "latency"},
        {"recoveries": ("rest",)},
    ],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(InputError):
        AblationSettings(**wrong)


@pytest.mark.parametrize("recovery", RECOVERIES)
def test_recoveries_are_settings_of_distillation(recovery):
    distillation = pytest.importorskip("compress.distill")
    labelled, changes = RECOVERIES[recovery]
    assert labelled == ("labels" in recovery)
    assert changes is None or distillation.DistillSettings(**changes)


def test_names_are_file_names():
    assert Cell("gcp-0.5", 0.673, "kd+labels", 2).name == "gcp-0.5_0.673_kd+labels_2"
