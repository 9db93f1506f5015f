import numpy as np
import pytest

from runtime.backends import open_backend
from runtime.bench import RATES, measure_speed
from runtime.pipeline import Frame
from runtime.sources import Source, drawn_source
from runtime.timing import Effort

STAGES = ["read", "pre", "copy_in", "compute", "copy_out", "post"]


def reading(clock, milliseconds):
    """A folder whose pictures take some time to read."""

    def frames():
        for index in range(3):
            clock.advance(milliseconds)
            yield Frame(str(index), np.zeros((64, 96, 3), np.uint8))

    return Source("somewhere", "folder", frames)


def test_what_counts_for_each_rate(waiting_backend, clock):
    speed = measure_speed(waiting_backend, reading(clock, 30), Effort(0.5, 10), clock=clock)
    assert list(speed) == list(RATES)
    assert speed["network"]["ms"]["p50"] == pytest.approx(7)
    # Copies count for a frame, reading does not.
    assert speed["frame"]["ms"]["max"] == pytest.approx(10)
    assert speed["frame"]["fps"] == pytest.approx(100)
    split = speed["frame"]["split"]
    assert list(split) == STAGES
    assert split == {
        "read": pytest.approx(30),
        "pre": pytest.approx(0),
        "copy_in": 1,
        "compute": 7,
        "copy_out": 2,
        "post": pytest.approx(0),
    }


def test_each_rate_says_what_it_includes(waiting_backend, clock):
    speed = measure_speed(waiting_backend, reading(clock, 1), Effort(0.1, 5), clock=clock)
    assert len({record["includes"] for record in speed.values()}) == 3
    assert all("somewhere" in record["includes"] and "batch 1" in record["includes"] for record in speed.values())


def test_frames_in_memory_take_no_reading(waiting_backend, clock):
    speed = measure_speed(waiting_backend, drawn_source((64, 96)), Effort(0.1, 5), clock=clock)
    assert speed["frame"]["split"]["read"] is None


def test_tells_what_it_does_and_when_times_drift(waiting_backend, clock):
    lines = []
    measure_speed(waiting_backend, drawn_source((64, 96)), Effort(0.1, 5), lines.append, clock)
    assert [line.partition(":")[0] for line in lines] == list(RATES)

    lines.clear()
    compute = waiting_backend.bound(None)

    def slower_and_slower():
        waiting_backend.compute *= 1.1
        compute()

    waiting_backend.bound = lambda images: slower_and_slower
    measure_speed(waiting_backend, drawn_source((64, 96)), Effort(0.1, 5, warm_up=1), lines.append, clock)
    assert any(line.startswith("network: times were not steady") for line in lines)


def test_a_real_network(network):
    with open_backend(network, "cpu") as backend:
        speed = measure_speed(backend, drawn_source((90, 160)), Effort(0.1, 20, warm_up=2))
    for record in speed.values():
        assert record["count"] >= 20
        assert record["fps"] == pytest.approx(1000 / record["ms"]["mean"])
        assert 0 < record["ms"]["p50"] <= record["ms"]["p90"] <= record["ms"]["p99"] <= record["ms"]["max"]
    split = speed["frame"]["split"]
    assert [stage for stage in STAGES if split[stage] is None] == ["read", "copy_in", "copy_out"]


def test_failures_are_raised(waiting_backend, clock):
    def fail(images):
        raise RuntimeError("device lost")

    waiting_backend.infer = fail
    with pytest.raises(RuntimeError, match="device lost"):
        measure_speed(waiting_backend, drawn_source((64, 96)), Effort(0.1, 5), clock=clock)
