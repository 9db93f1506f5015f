"""The demonstration, in small: the same road on a few frames."""

import json

import pytest

from panoedge.demo import BOUNDS, TEACHER, DemoSettings, demo
from perception import checkpoint
from perception.errors import GateFailed, InputError
from perception.evaluation import headline

SMALL = DemoSettings(train=8, val=4, epochs=1, seconds=0.1)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    failure = None
    try:
        demo(out, settings=SMALL)
    except GateFailed as failed:  # so few frames decide nothing; what counts is that the gate tells the truth
        failure = failed
    return out, json.loads((out / "report.json").read_text()), failure


def test_every_stage_is_in_the_report(walked):
    out, report, _ = walked
    names = [model["name"] for model in report["models"]]
    assert names == ["teacher-fp32", "teacher", "pruned", "student", "student-fp16", "student-fp32"]
    assert all(model["metrics"]["frames"] == SMALL.val for model in report["models"])
    assert [stage["stage"] for stage in report["models"][3]["history"]][-2:] == ["prune", "distill"]
    assert (out / "report.html").read_text().count("data:image/jpeg") >= 2 * SMALL.val


def test_photographs_that_are_not_there_are_told_before_the_work(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        demo(tmp_path / "out", tmp_path / "nowhere", SMALL)
    assert not list((tmp_path / "out").iterdir())


def test_the_student_has_the_parameters_asked_for(walked):
    _, report, _ = walked
    teacher, student = report["models"][0], report["models"][3]
    assert student["parameters"] / teacher["parameters"] == pytest.approx(SMALL.share, rel=0.01)


def test_the_gate_says_what_the_report_says(walked):
    _, report, failure = walked
    teacher, student = (headline(report["models"][index]["metrics"]) for index in (0, 3))
    missed = [name for name, bound in BOUNDS.items() if 100 * (teacher[name] - student[name]) > bound]
    assert (failure is not None) == bool(missed)
    assert all(name in str(failure) for name in missed)


def test_the_embedded_teacher_is_small_and_says_where_it_comes_from():
    assert TEACHER.stat().st_size <= 4_000_000
    assert [stage["stage"] for stage in checkpoint.load(TEACHER).history] == ["train"]
