import json

import pytest

from panoedge.report import Overlay, register, write_report
from panoedge.report.schema import load
from perception.command import main


def panoedge(*arguments) -> int:
    return main("panoedge", "", [register], [str(argument) for argument in arguments])


@pytest.fixture
def runs(report, overlays, tmp_path):
    """The reports of two runs, one model each, with overlays of the same scene."""
    teacher, *_, student = report["models"]
    (scene,) = overlays
    paths = []
    for name, model, panel in zip("ab", (teacher, student), scene.panels, strict=True):
        write_report({**report, "models": [model]}, tmp_path / name, [Overlay(scene.title, [panel])])
        paths.append(tmp_path / name / "report.json")
    return paths


def test_two_runs_become_one_page(runs, tmp_path, capsys):
    assert panoedge("report", *runs, "--out", tmp_path / "both") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'both' / 'report.html'}\n"
    merged = load(tmp_path / "both" / "report.json")
    assert [model["name"] for model in merged["models"]] == ["teacher", "student-fp16"]
    assert [panel["label"] for panel in merged["overlays"][0]["panels"]] == ["teacher", "student-fp16"]


def test_a_single_report_is_only_laid_out_anew(runs, tmp_path):
    assert panoedge("report", runs[1], "--out", tmp_path / "again") == 0
    assert load(tmp_path / "again" / "report.json") == load(runs[1])


def test_bad_input_ends_with_two_and_one_line(runs, tmp_path, capsys):
    broken = json.loads(runs[0].read_text())
    del broken["models"][0]["bytes"]
    runs[0].write_text(json.dumps(broken))
    assert panoedge("report", *runs, "--out", tmp_path / "both") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(runs[0]) in error
    assert "models[0].bytes: missing" in error
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("arguments", [["report"], ["report", "x.json"], ["report", "absent.json", "--out", "x"]])
def test_usage(arguments, capsys):
    assert panoedge(*arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
