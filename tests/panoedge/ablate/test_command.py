import pytest

pytest.importorskip("torch_pruning")

from panoedge.ablate.settings import AblationSettings, quick
from panoedge.cli import main


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The settings that a command line asks for."""

    def run(*options):
        seen = []
        monkeypatch.setattr("panoedge.ablate.run.ablate", lambda *given: seen.append(given))
        status = main(["ablate", "t.safetensors", "--data", "scenes", "--out", str(tmp_path), *options])
        return seen[0][2] if status == 0 else status

    return run


def test_defaults_are_the_published_table(asked):
    assert asked() == AblationSettings()
    assert asked("--quick") == quick()


def test_what_is_given_changes_it(asked):
    found = asked("--quick", "--methods", "safe", "gcp-tie", "--contenders", "--budget-kind", "macs", "--seeds", "2")
    assert (found.methods, found.contenders, found.kind, found.seeds) == (("safe", "gcp-tie"), (), "macs", 2)
    assert asked("--rounds", "6", "--round-to", "4", "--calibration", "128") == AblationSettings(
        rounds=6, round_to=4, calibration=128
    )
    assert asked("--recoveries", "features+labels").recoveries == ("features+labels",)
    assert found.frames == quick().frames


def test_budgets_of_time_come_with_their_costs(asked, capsys):
    found = asked("--budget-kind", "latency", "--costs", "costs.json")
    assert (found.kind, found.costs) == ("latency", "costs.json")
    assert asked("--budget-kind", "latency") == 2
    assert "--costs" in capsys.readouterr().err


def test_settings_that_make_no_sense_exit_with_2(asked, capsys):
    assert asked("--methods", "taylor") == 2
    assert "safe is what the others are compared with" in capsys.readouterr().err
