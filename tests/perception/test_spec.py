import json

import pytest

from perception.spec import Deployed, InputSpec
from perception.tasks import DRIVABLE, LANE, TASKS

SPEC = InputSpec((384, 640), "stretch", {DRIVABLE: 0.45, LANE: 0.9}, needs_nms=False)
DEPLOYED = Deployed("yolop", SPEC, "fp16", 7_940_846, 9_250_000_000, "ab" * 32)


def over_the_wire(data):
    """What a reader gets: JSON knows no tuples."""
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("spec", [SPEC, InputSpec((64, 96)), InputSpec((64, 96), tasks=(LANE,))])
def test_a_spec_survives_json(spec):
    assert InputSpec.from_json(over_the_wire(spec.to_json())) == spec


def test_defaults():
    spec = InputSpec((64, 96))
    assert (spec.resize, spec.needs_nms) == ("letterbox", True)
    assert spec.thresholds == {DRIVABLE: 0.5, LANE: 0.5}


def test_specs_do_not_share_thresholds():
    assert InputSpec((64, 96)).thresholds is not InputSpec((64, 96)).thresholds


@pytest.mark.parametrize(
    "change",
    [
        {"size": [384]},
        {"size": [0, 32]},
        {"size": [2**40, 2**40]},
        {"size": None},
        {"size": ["a", "b"]},
        {"resize": "crop"},
        {"thresholds": {DRIVABLE: 0.5}},
        {"thresholds": {DRIVABLE: 0.5, LANE: "high"}},
        {"thresholds": {DRIVABLE: 0.5, LANE: float("nan")}},
        {"thresholds": {DRIVABLE: 0.5, LANE: 2}},
        {"tasks": []},
        {"tasks": [LANE, DRIVABLE]},
        {"tasks": ["sky"]},
    ],
)
def test_a_malformed_spec_is_refused(change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        InputSpec.from_json({**SPEC.to_json(), **change})


@pytest.mark.parametrize("missing", ["size", "resize", "thresholds", "needs_nms"])
def test_an_incomplete_spec_is_refused(missing):
    data = SPEC.to_json()
    del data[missing]
    with pytest.raises(KeyError):
        InputSpec.from_json(data)


def test_what_an_export_says_survives_json():
    data = over_the_wire(DEPLOYED.to_json())
    assert data["tasks"] == list(TASKS)
    assert Deployed.from_json(data) == DEPLOYED


def test_an_export_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format 99"):
        Deployed.from_json({**DEPLOYED.to_json(), "format": 99})


@pytest.mark.parametrize("missing", ["format", "spec", "network", "precision", "macs", "checkpoint_sha256"])
def test_an_incomplete_export_is_refused(missing):
    data = DEPLOYED.to_json()
    del data[missing]
    with pytest.raises(KeyError):
        Deployed.from_json(data)
