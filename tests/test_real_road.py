"""The whole road on real photographs as a user walks it, one epoch a stage: minutes, where the results took longer."""

import json

import pytest

from panoedge.cli import main
from panoedge.demo import TEACHER
from perception import checkpoint
from perception.cost import cost
from perception.evaluation import headline

NAMES = ("embedded", "teacher", "student", "student-onnx")


@pytest.fixture(scope="module")
def road(tmp_path_factory, camvid):
    """Every stage's command, once; the folder they wrote to."""
    out = tmp_path_factory.mktemp("road")

    def panoedge(*words: object) -> None:
        assert main([str(word) for word in words]) == 0, words

    teacher, pruned, student = (out / f"{name}.safetensors" for name in ("teacher", "pruned", "student"))
    onnx, speed = out / "student.onnx", out / "student.json"
    learning = ("--data", camvid, "--epochs", 1, "--seed", 1, "--validate-every", 0, "--lr", 1e-3)
    panoedge("train", "--start", TEACHER, *learning, "--out", teacher)
    panoedge("prune", teacher, "--data", camvid, "--budget", "params=0.673", "--rounds", 1, "--out", pruned)
    panoedge("distill", pruned, "--teacher", teacher, *learning, "--out", student)
    panoedge("export", "onnx", student, "--images", camvid / "images" / "val", "--out", onnx)
    for name, file in zip(NAMES, (TEACHER, teacher, student, onnx), strict=True):
        panoedge("evaluate", file, "--data", camvid, "--json", out / f"{name}.metrics.json")
    panoedge("bench", onnx, "--source", camvid / "images" / "val", "--seconds", 0.5, "--json", speed)
    panoedge("run", onnx, "--source", camvid / "images" / "val", "--frames", 3, "--out", out / "seen")
    panoedge("report", speed, "--out", out / "report")
    return out


@pytest.fixture(scope="module")
def scores(road):
    """Headline metrics in percent, by the name of what was measured."""
    files = {name: json.loads((road / f"{name}.metrics.json").read_text()) for name in NAMES}
    return {name: {key: 100 * value for key, value in headline(file).items()} for name, file in files.items()}


def test_photographs_teach_what_scenes_did_not(scores):
    gained = {name: value - scores["embedded"][name] for name, value in scores["teacher"].items()}
    assert min(gained[name] for name in ("mAP50", "drivable_mIoU", "lane_IoU")) > 1, gained


def test_the_student_is_smaller_and_still_sees(road, scores):
    parameters = [cost(checkpoint.load(road / f"{name}.safetensors").network).parameters for name in NAMES[1:3]]
    assert parameters[1] / parameters[0] == pytest.approx(0.673, rel=0.01)
    # One short epoch each: far from what the results page shows, and far above a network that lost a task.
    behind = {name: scores["teacher"][name] - scores["student"][name] for name in scores["teacher"]}
    assert max(behind.values()) < 10, behind


def test_the_exported_file_scores_like_the_checkpoint(scores):
    assert scores["student-onnx"] == pytest.approx(scores["student"], abs=0.1)


def test_what_users_look_at_is_there(road):
    assert len(list((road / "seen").iterdir())) == 3
    report = json.loads((road / "student.json").read_text())
    assert all(report["models"][0]["speed"][rate]["fps"] > 0 for rate in ("network", "frame", "stream"))
    assert "student" in (road / "report" / "report.html").read_text()
