from copy import deepcopy

from panoedge.report import merge
from panoedge.report.schema import check, device_of, run_of


def single(report: dict, name: str) -> dict:
    """The report that a benchmark of one model writes."""
    return {**deepcopy(report), "models": [next(m for m in deepcopy(report["models"]) if m["name"] == name)]}


def test_models_keep_their_order_their_gates_and_their_runs(report):
    run = {"sampler": {"certified": True, "faults": []}, "phases": [], "host_memory": 1}
    first = {**single(report, "teacher"), "run": run}
    merged = check(merge([first, single(report, "student-fp16")]), "merged")
    assert [model["name"] for model in merged["models"]] == ["teacher", "student-fp16"]
    assert [len(model.get("gates", [])) for model in merged["models"]] == [0, 1]
    assert [run_of(merged, model) for model in merged["models"]] == [run, None]


def test_another_device_stays_with_its_models(report):
    other = {**single(report, "student-fp16"), "device": {"name": "workstation"}}
    merged = merge([report, other])
    assert merged["device"] == report["device"]
    assert device_of(merged, merged["models"][0]) == report["device"]
    assert device_of(merged, merged["models"][-1]) == {"name": "workstation"}


def test_the_same_run_counts_once_and_namesakes_are_numbered(report):
    teacher, again = single(report, "teacher"), single(report, "teacher")
    again["models"][0]["bytes"] += 1
    merged = merge([teacher, deepcopy(teacher), again, {**again, "device": {"name": "x"}}])
    assert [model["name"] for model in merged["models"]] == ["teacher", "teacher (2)", "teacher (3)"]


def test_title_and_date(report):
    later = {**single(report, "student"), "title": "another", "created": "2026-03-01T12:00:00+02:00"}
    latest = {**single(report, "pruned"), "title": "another", "created": "2026-03-01T10:30:00"}
    merged = merge([report, later, latest])
    assert merged["created"] == "2026-03-01T10:30:00"
    assert merged["title"] == "Comparison of 5 models"
    assert merge([later, latest])["title"] == "another"


def test_models_of_another_day_keep_their_date(report):
    earlier = {**single(report, "student"), "created": "2026-02-01T09:30:00Z"}
    merged = check(merge([earlier, single(report, "teacher")]), "merged")
    assert [model.get("created") for model in merged["models"]] == ["2026-02-01T09:30:00Z", None]
    assert merge([merged]) == merged


def test_inputs_are_left_alone_and_merging_again_changes_nothing(report):
    before = deepcopy(report)
    merged = merge([report, {**single(report, "student-fp16"), "device": {"name": "x"}}])
    assert report == before
    assert merge([merged]) == merged


def test_namesakes_are_told_apart_by_what_they_differ_in(report):
    student = single(report, "student")
    later = {**deepcopy(student), "created": "2026-03-05T09:30:00Z"}
    later["models"][0]["bytes"] += 1
    half = deepcopy(student)
    half["models"][0]["precision"] = "fp16"
    elsewhere = {**deepcopy(student), "device": {"name": "workstation"}}

    def names(*reports):
        return [model["name"] for model in merge(reports)["models"]]

    assert names(student, later) == ["student (2026-03-01 09:30 UTC)", "student (2026-03-05 09:30 UTC)"]
    assert names(student, half) == ["student (checkpoint fp32)", "student (checkpoint fp16)"]
    assert names(student, elsewhere) == ["student (Jetson Orin NX 16GB)", "student (workstation)"]
    assert names(student, half, elsewhere) == [
        "student (Jetson Orin NX 16GB, checkpoint fp32)",
        "student (Jetson Orin NX 16GB, checkpoint fp16)",
        "student (workstation, checkpoint fp32)",
    ]
