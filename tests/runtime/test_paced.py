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


class Pace:
    """A clock for a run of several threads: it goes on when the source waits for its next frame, and only then."""

    def __init__(self, until):
        self.now, self.waited, self.results = 0.0, 0, threading.Semaphore(0)
        self.until = until

    def clock(self):
        if threading.current_thread() is threading.main_thread():
            self.results.release()
        return self.now

    def wait(self, seconds):
        self.waited += 1
        self.until(self)
        self.now += seconds


def test_a_network_that_is_quick_enough_drops_nothing(waiting_backend):
    pace = Pace(lambda pace: pace.results.acquire(timeout=60))
    record, lost = measure_paced(waiting_backend, drawn_source((64, 96)), 20, 0.4, pace.clock, pace.wait)
    assert lost == ""
    assert (record["frames"], record["dropped"], record["missed"]) == (8, 0, 0)
    assert "drawn 96x64" in record["includes"]


def test_a_network_that_is_too_slow_sees_the_newest(waiting_backend, monkeypatch):
    begun, all_came = threading.Event(), threading.Event()
    pace = Pace(lambda pace: begun.wait(60))

    def frames():
        # Five are looked at before the pace begins, and one is read after its end.
        yield from itertools.repeat(FRAME, 5 + 80)
        all_came.set()
        yield FRAME

    def advance(milliseconds):
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            all_came.wait(60)
            pace.now += 0.01

    monkeypatch.setattr(waiting_backend.clock, "advance", advance)
    record, _ = measure_paced(waiting_backend, Source("road", "video", frames), 200, 0.4, pace.clock, pace.wait)
    assert record["frames"] == 80
    # One is computed, one waits for that, one is being placed, one has just come.
    assert 80 > record["dropped"] >= 80 - 4
    assert record["missed"] == record["frames"] - record["dropped"]
    assert record["age"]["p50"] > 9.9


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
