from contextlib import contextmanager

import numpy as np
import pytest

from perception.errors import InputError
from runtime.backends import open_backend
from runtime.bench import RATES, compare_speed, measure_speed
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
    assert any(line.startswith("network: waiting.onnx was not steady") for line in lines)


def test_a_real_network(network):
    with open_backend(network, "cpu") as backend:
        speed = measure_speed(backend, drawn_source((90, 160)), Effort(0.1, 20, warm_up=2))
    for record in speed.values():
        assert record["count"] >= 20
        assert record["fps"] == pytest.approx(1000 / record["ms"]["mean"])
        assert 0 < record["ms"]["p50"] <= record["ms"]["p90"] <= record["ms"]["p99"] <= record["ms"]["max"]
    split = speed["frame"]["split"]
    assert [stage for stage in STAGES if split[stage] is None] == ["read", "copy_in", "copy_out"]


def test_networks_are_compared_with_the_first(waiting_backend, clock):
    class Slower(type(waiting_backend)):
        def timed(self, images):
            answer = super().timed(images)
            self.clock.advance(10)
            return answer

    speeds = compare_speed([waiting_backend, Slower(clock)], drawn_source((64, 96)), Effort(0.1, 5), clock=clock)
    first, second = speeds.records
    assert "ratio" not in first["frame"]
    assert second["frame"]["ratio"]["median"] == pytest.approx(0.5)
    assert second["network"]["ratio"]["median"] == pytest.approx(1)


def test_each_rate_is_watched(waiting_backend, clock):
    seen = []

    @contextmanager
    def watch(rate):
        seen.append(rate)
        yield
        seen.append(f"{rate} done")

    compare_speed([waiting_backend], drawn_source((64, 96)), Effort(0.1, 5), watch=watch, clock=clock)
    assert seen == [part for rate in RATES for part in (rate, f"{rate} done")]


def ending(count):
    """A camera that is pulled out."""

    def frames():
        for index in range(count):
            yield Frame(str(index), np.zeros((64, 96, 3), np.uint8))

    return Source("camera 0", "camera", frames)


def test_a_source_that_ends_leaves_what_was_measured(waiting_backend, clock):
    lines = []
    speeds = compare_speed([waiting_backend], ending(150), Effort(0.5, 10), lines.append, clock=clock)
    assert "camera 0: gave no more frames after 150" in speeds.lost
    (record,) = speeds.records
    assert record["network"]["count"] >= 10
    assert record["frame"]["count"] > 0 and record["frame"]["cut"]
    assert "cut" not in record["network"]
    assert record["stream"] is None
    assert lines[-1].startswith("frame: ended early: camera 0")


def test_a_source_that_gives_nothing_is_an_error(waiting_backend, clock):
    with pytest.raises(InputError, match="camera 0: gave no more frames after 0"):
        compare_speed([waiting_backend], ending(0), Effort(0.5, 10), clock=clock)


def test_failures_are_raised(waiting_backend, clock):
    def fail(images):
        raise RuntimeError("device lost")

    waiting_backend.infer = fail
    with pytest.raises(RuntimeError, match="device lost"):
        measure_speed(waiting_backend, drawn_source((64, 96)), Effort(0.1, 5), clock=clock)
