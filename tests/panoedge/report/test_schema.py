import json
import re

import pytest

from panoedge.report.schema import check, created_of, device_of, load, run_of
from perception.errors import InputError


def at(report: dict, path: str):
    """The container and the last key of a dotted path."""
    *parents, last = (int(part) if part.isdecimal() else part for part in path.split("."))
    for part in parents:
        report = report[part]
    return report, last


def test_a_whole_report_passes_and_is_kept(report):
    assert check(report, "x") is report


def test_what_was_not_measured_may_be_null(report):
    first = report["models"][0]
    first |= {"metrics": None, "speed": None, "parameters": None, "macs": None, "precision": None, "network": None}
    report["models"][1]["metrics"]["lane"] = None
    report["models"][3]["speed"] |= {"network": None}
    check(report, "x")


def test_all_that_a_benchmark_records_passes(boards):
    assert check(boards, "x") is boards


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.0.created", "soon"),
        ("models.0.speed.stream.timeline.max", [1.0]),
        ("models.0.speed.stream.timeline.p50", []),
        ("models.0.speed.stream.histogram", {"ms": [1, 2, 3], "count": [4]}),
        ("models.0.speed.stream.histogram", {"ms": [2, 1], "count": [4]}),
        ("models.0.run.sampler.power.VDD_IN.series", [1.0]),
        ("models.0.run.sampler.temperature.tj.mean", "hot"),
        ("models.0.run.sampler.throttled", {"at": 3}),
        ("models.0.run.lost", 3),
    ],
)
def test_a_wrong_course_is_named(boards, path, value):
    container, last = at(boards, path)
    container[last] = value
    with pytest.raises(InputError) as caught:
        check(boards, "x")
    assert re.sub(r"\.(\d)", r"[\1]", path).rpartition(".")[0] in str(caught.value)


def test_fields_of_later_versions_are_ignored(report):
    report["models"][0]["power"] = {"watts": 15}
    check(report, "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "panoedge.report/2"),
        ("created", "yesterday"),
        ("title", 7),
        ("device", []),
        ("device.cores", {"big": 4}),
        ("models", []),
        ("models.0", "teacher"),
        ("models.0.name", " "),
        ("models.0.bytes", -1),
        ("models.0.bytes", True),
        pytest.param("models.0.parameters", 10**400, id="huge"),
        ("models.0.kind", "pickle"),
        ("models.0.input", {"size": [384]}),
        ("models.0.metrics.protocol", "coco"),
        ("models.0.metrics.detection.recall", 92.3),
        ("models.0.metrics.lane.IoU", float("nan")),
        ("models.0.speed.frame.fps", "fast"),
        ("models.0.speed.frame.split.pre", -2.0),
        ("models.0.speed.stream.ms", None),
        ("models.0.history", {}),
        ("models.4.gates.0.passed", "yes"),
        ("models.4.gates.0.limit", -1),
    ],
)
def test_a_wrong_field_is_named_in_one_line(report, path, value):
    container, last = at(report, path)
    container[last] = value
    with pytest.raises(InputError) as caught:
        check(report, "run/report.json")
    message = str(caught.value)
    assert message.startswith("run/report.json: ")
    assert re.sub(r"\.(\d)", r"[\1]", path) in message
    assert "\n" not in message
    assert len(message) < 250


@pytest.mark.parametrize(
    "path", ["models", "models.0.sha256", "models.0.metrics.frames", "models.0.speed.network.ms.p99"]
)
def test_a_missing_field_is_named(report, path):
    container, last = at(report, path)
    del container[last]
    with pytest.raises(InputError, match="missing") as caught:
        check(report, "x")
    assert path.replace(".0", "[0]") in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"panoedge.report/1"', "{}"])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"report\.json"):
        load(path)


def test_numbers_and_characters_that_json_can_smuggle_in(report, tmp_path):
    path = tmp_path / "report.json"
    for text in ("Infinity", "NaN", '"\\ud800"', "1e999"):
        path.write_text(json.dumps(report).replace("120", text, 1))
        with pytest.raises(InputError, match=r"models\[0\]\.history\[0\]\.epochs"):
            load(path)


@pytest.mark.parametrize("depth", [40, 100_000])
def test_endless_nesting_is_refused(report, tmp_path, depth):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report).replace("120", "[" * depth + "]" * depth, 1))
    with pytest.raises(InputError, match="nested"):
        load(path)


def test_device_and_run_speak_for_models_without_their_own(report):
    first, *_, last = report["models"]
    assert run_of(report, first) is None
    report["run"] = {"certified": False}
    first |= {"device": {"name": "another"}, "run": {"certified": True}, "created": "2020-01-01"}
    assert (created_of(report, first), created_of(report, last)) == ("2020-01-01", report["created"])
    assert (device_of(report, first), run_of(report, first)) == ({"name": "another"}, {"certified": True})
    assert (device_of(report, last), run_of(report, last)) == (report["device"], {"certified": False})
