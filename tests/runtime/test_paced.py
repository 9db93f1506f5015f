import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest

from runtime.paced import measure_paced, paced, summarise_paced
from runtime.pipeline import Frame, SourceLost
from runtime.sources import Source, drawn_source

FRAME = Frame("street", np.zeros((64, 96, 3), np.uint8))


def sleeper(clock):
    return lambda seconds: clock.advance(1000 * seconds)


def test_frames_come_when_they_are_due(clock):
    came = [frame.came for frame in paced(itertools.repeat(FRAME), 20, 0.49, clock, sleeper(clock))]
    assert came == pytest.approx(np.arange(10) / 20)


def test_what_would_come_after_the_end_is_not_waited_for(clock):
    assert len(list(paced(itertools.repeat(FRAME), 0.001, 2, clock, sleeper(clock)))) == 1
    assert clock() == 0


def test_late_frames_are_not_caught_up_with(clock):
    def slow():
        for number in itertools.count():
            clock.advance(210 if number == 2 else 0)
            yield FRAME

    came = [frame.came for frame in paced(slow(), 10, 0.75, clock, sleeper(clock))]
    assert came == pytest.approx([0, 0.1, 0.31, 0.4, 0.5, 0.6, 0.7])


def test_summary():
    came, dropped = np.array([0.0, 0.2, 0.4]), np.array([0.1, 0.3])
    record = summarise_paced(came, came + np.array([0.05, 0.09, 0.15]), dropped, 10)
    assert (record["frames"], record["dropped"], record["missed"]) == (5, 2, 1)
    assert (record["offered"], record["fps"]) == pytest.approx((10, 6))
    assert record["deadline"] == 100
    assert record["age"]["p50"] == pytest.approx(90)
    assert record["age"]["max"] == pytest.approx(150)
    assert sum(record["histogram"]["count"]) == 3


def test_no_result_no_record():
    nothing = np.zeros(0)
    assert summarise_paced(nothing, nothing, np.array([0.1]), 10) is None


def test_a_network_that_is_quick_enough_drops_nothing(waiting_backend):
    record, lost = measure_paced(waiting_backend, drawn_source((64, 96)), 20, 0.4)
    assert lost == ""
    assert record["dropped"] == 0
    assert 2 <= record["frames"] <= 8
    assert "drawn 96x64" in record["includes"]


def test_a_network_that_is_too_slow_sees_the_newest(waiting_backend, monkeypatch):
    turn = threading.Event()
    monkeypatch.setattr(waiting_backend.clock, "advance", lambda milliseconds: turn.wait(0.03))
    record, _ = measure_paced(waiting_backend, drawn_source((64, 96)), 200, 0.4)
    assert record["dropped"] > record["frames"] / 2
    assert record["missed"] == record["frames"] - record["dropped"]
    # Never older than what is computed, what waits for it, and what waits to be answered.
    assert record["age"]["p50"] < 1000


def test_a_camera_that_is_pulled_out(waiting_backend):
    def frames():
        yield from itertools.repeat(FRAME, 12)
        raise SourceLost("camera 0: gone")

    record, lost = measure_paced(waiting_backend, Source("camera 0", "camera", frames), 50, 5)
    assert lost == "camera 0: gone"
    assert 0 < record["frames"] <= 7


def test_a_camera_that_is_gone_before_it_is_measured(waiting_backend):
    def frames():
        yield from itertools.repeat(FRAME, 2)
        raise SourceLost("camera 0: gone")

    assert measure_paced(waiting_backend, Source("camera 0", "camera", frames), 50, 5) == (None, "camera 0: gone")


def test_outputs_that_are_not_finite_are_counted(waiting_backend, monkeypatch, capsys):
    infer, numbers = waiting_backend.infer, itertools.count()
    means = (np.float32([0]), np.float32([np.nan]))
    monkeypatch.setattr(
        waiting_backend, "infer", lambda images: replace(infer(images), lane_mean=means[next(numbers) % 2])
    )
    measure_paced(waiting_backend, drawn_source((64, 96)), 100, 0.1)
    assert capsys.readouterr().err.splitlines()[-1].endswith("frames where the network's outputs were not all finite")
