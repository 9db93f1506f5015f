import pytest

from perception.errors import GateFailed, InputError
from perception.files import write_json
from runtime.gates import Limits, drops, judge, read_reference, require

SPEED = {
    "network": None,
    "frame": {"fps": 40.0, "ms": {"p99": 31.5}},
    "stream": {"fps": 28.1, "ms": {"p99": 50.0}},
}


def metrics(recall=0.9, lane=0.5, **changes):
    known = {"protocol": "yolop", "data": "somewhere/bdd", "split": "val", "frames": 20}
    figures = {"detection": {"recall": recall, "mAP50": 0.8}, "lane": {"IoU": lane, "ACC": 0.7}}
    return {**known, **figures, **changes}


def test_every_gate_is_judged():
    model = {"speed": SPEED, "drop": {"points": {"recall": 0.4, "lane_IoU": 2.5}}}
    gates = judge(model, Limits(32, "stream", 33, 2))
    assert [(gate["gate"], gate["of"], gate["value"], gate["passed"]) for gate in gates] == [
        ("min-fps", "stream", 28.1, False),
        ("max-latency-p99", "frame p99", 31.5, True),
        ("max-drop", "lane_IoU below its reference", 2.5, False),
    ]
    with pytest.raises(GateFailed) as caught:
        require(gates)
    assert str(caught.value) == (
        "stream 28.10 FPS, at least 32 asked for: missed by 3.90; "
        "lane IoU below its reference 2.50 points, at most 2 asked for: missed by 0.50"
    )


@pytest.mark.parametrize(("limit", "passed"), [(39.9, True), (40, True), (40.1, False)])
def test_a_limit_is_allowed(limit, passed):
    (gate,) = judge({"speed": SPEED}, Limits(limit, "frame"))
    assert gate["passed"] is passed


def test_nothing_asked_for_is_no_gate():
    assert judge({"speed": SPEED}, Limits()) == []
    require([])


def test_what_was_not_measured_does_not_pass():
    with pytest.raises(GateFailed, match="network was not measured, 32 FPS asked for"):
        require(judge({"speed": SPEED}, Limits(32, "network")))


def test_a_rate_that_the_source_did_not_last_for_passes_nothing():
    cut = {**SPEED, "frame": {**SPEED["frame"], "cut": True}}
    gates = judge({"speed": cut}, Limits(32, "frame", 33))
    assert [gate["value"] for gate in gates] == [40, 31.5]
    assert all(gate["cut"] and not gate["passed"] for gate in gates)
    with pytest.raises(GateFailed) as caught:
        require(gates)
    assert str(caught.value) == (
        "frame 40.00 FPS when the source was lost, 32 asked for: not measured to the end; "
        "frame p99 31.50 ms when the source was lost, 33 asked for: not measured to the end"
    )
    assert "cut" not in judge({"speed": cut}, Limits(20, "stream"))[0]


def test_drop_by_figure_in_points():
    reference = metrics(0.92, 0.49, data="elsewhere/bdd")
    found = drops(metrics(), reference, "x")
    assert found == pytest.approx({"recall": 2, "mAP50": 0, "lane_IoU": -1, "lane_ACC": 0})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"frames": 30, "protocol": "rmt-ppad"}, "protocol rmt-ppad, not yolop, frames 30, not 20"),
        ({"data": "camvid"}, "data camvid, not bdd"),
        ({"lane": None}, "lacks figures"),
    ],
)
def test_references_that_cannot_be_compared(changes, fault):
    with pytest.raises(InputError, match=fault):
        drops(metrics(), metrics(**changes), "reference.json")


def test_a_reference_is_metrics_or_the_first_measured_model_of_a_report(tmp_path):
    write_json(tmp_path / "metrics.json", metrics())
    write_json(tmp_path / "report.json", {"models": [{"metrics": None}, {"metrics": metrics(0.7)}]})
    assert read_reference(tmp_path / "metrics.json")["detection"]["recall"] == 0.9
    assert read_reference(tmp_path / "report.json")["detection"]["recall"] == 0.7


@pytest.mark.parametrize("content", [[], {}, {"models": [{"metrics": None}]}, {"models": 3}, {"models": [3]}])
def test_other_files_are_no_reference(tmp_path, content):
    write_json(tmp_path / "x.json", content)
    with pytest.raises(InputError, match=r"x\.json: holds no metrics"):
        read_reference(tmp_path / "x.json")
