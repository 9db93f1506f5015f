from copy import deepcopy

import pytest

from panoedge.report import compare


def test_difference_needs_the_same_frames_and_rules(report):
    teacher, _, student, *_ = report["models"]
    assert compare.RECALL.difference(student, teacher) == pytest.approx(-0.012)
    for key, value in (("protocol", "yolop"), ("data", "/data/camvid"), ("split", "test"), ("frames", 65)):
        other = deepcopy(student)
        other["metrics"][key] = value
        assert compare.RECALL.difference(other, teacher) is None


def test_data_may_lie_in_another_folder(report):
    teacher, _, student, *_ = report["models"]
    student["metrics"]["data"] = "/mnt/board/bdd100k/"
    assert compare.RECALL.difference(student, teacher) is not None


def test_a_task_without_labels_has_no_value(report):
    teacher, _, student, *_ = report["models"]
    student["metrics"]["lane"] = None
    assert compare.LANE_IOU.of(student) is None
    assert compare.LANE_IOU.difference(student, teacher) is None
    student["metrics"] = None
    assert compare.MAP50.of(student) is None


def test_largest_drop(report):
    teacher, pruned, student, *_ = report["models"]
    measure, difference = compare.largest_drop(pruned, teacher)
    assert (measure.label, difference) == ("mAP50", pytest.approx(-0.148))
    student["metrics"] = None
    assert compare.largest_drop(student, teacher) is None


def test_ratio(report):
    teacher, _, student, *_ = report["models"]
    assert compare.ratio(student, teacher, "parameters") == pytest.approx(5.34 / 7.94)
    teacher["macs"] = 0
    student["parameters"] = None
    assert compare.ratio(student, teacher, "macs") is None
    assert compare.ratio(student, teacher, "parameters") is None


def test_models_that_took_turns_are_compared_with_the_first_of_them(boards):
    teacher, student, other_teacher, other_student = boards["models"]
    assert compare.speed_reference(boards, student, "stream") is teacher
    assert compare.speed_reference(boards, other_student, "stream") is other_teacher
    assert compare.speed_ratio(boards, student, "stream") == 1.95
    student["device"] = {"name": "the same board, another library"}
    assert compare.speed_reference(boards, student, "stream") is teacher


def test_models_of_one_run_belong_together(report, boards):
    assert compare.runs(report) == []
    assert [[model["name"] for model in models] for _, models in compare.runs(boards)] == [
        ["teacher (Jetson Orin NX 16GB)", "student-fp16 (Jetson Orin NX 16GB)"],
        ["teacher (Jetson Orin Nano 8GB)", "student-fp16 (Jetson Orin Nano 8GB)"],
    ]


def test_speed_is_compared_on_one_device_only(report):
    teacher, *_, fp32, fp16 = report["models"]
    assert compare.speed_reference(report, fp16, "stream") is teacher
    assert compare.speed_ratio(report, fp16, "stream") == pytest.approx(41.7 / 21.4)
    fp32["device"] = fp16["device"] = {"name": "workstation"}
    assert compare.speed_reference(report, fp16, "stream") is fp32
    fp32["speed"]["stream"] = None
    assert compare.speed_reference(report, fp16, "stream") is fp16
    assert compare.speed_ratio(report, fp32, "stream") is None
    assert [device["name"] for device in compare.devices(report)] == ["Jetson Orin NX 16GB", "workstation"]
