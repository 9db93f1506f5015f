from contextlib import contextmanager

import numpy as np
import pytest

from runtime.pipeline import SourceLost
from runtime.timing import (
    Course,
    Effort,
    Lap,
    always,
    histogram,
    measure,
    median_split,
    ratio,
    slice_rates,
    stopwatch,
    summarise,
    timeline,
)


def waiting(clock, milliseconds):
    """A meter of something that takes always the same time."""
    return always(stopwatch(lambda: clock.advance(milliseconds), clock))


def laps(*totals):
    return [Lap(float(total)) for total in totals]


def test_stopwatch(clock):
    assert stopwatch(lambda: clock.advance(12), clock)().total == pytest.approx(12)


@pytest.mark.parametrize(("seconds", "count", "expected"), [(0.5, 10, 50), (0.5, 80, 80)])
def test_measures_long_and_often_enough(clock, seconds, count, expected):
    (course,), lost = measure([waiting(clock, 10)], Effort(seconds, count, slices=5), clock)
    assert course.steady and lost == ""
    assert len(course.slices) == 5
    assert expected <= len(course.laps) <= expected + 5
    assert all(lap.total == pytest.approx(10) for lap in course.laps)


def test_slow_first_laps_are_warm_up(clock):
    taken = iter([200] * 5 + [100] * 5 + [40] * 5)
    lap = stopwatch(lambda: clock.advance(next(taken, 10)), clock)
    (course,), _ = measure([always(lap)], Effort(0.1, 10), clock)
    assert course.steady
    assert {round(lap.total) for lap in course.laps} == {10}


def test_gives_up_on_what_never_settles(clock):
    milliseconds = 1.0

    def ever_slower():
        nonlocal milliseconds
        milliseconds *= 1.1
        clock.advance(milliseconds)

    (course,), _ = measure([always(stopwatch(ever_slower, clock))], Effort(0.1, 5, warm_up=2, slices=1), clock)
    assert not course.steady
    assert len(course.laps) == 5


def test_a_machine_that_slows_down_does_so_for_both(clock):
    def slowing(milliseconds):
        return always(stopwatch(lambda: clock.advance(milliseconds * (1 + clock.now)), clock))

    (fast, slow), _ = measure([slowing(10), slowing(20)], Effort(4, 40, slices=10), clock)
    first, *_, last = slice_rates(fast)
    assert first > 2 * last
    assert ratio(slow, fast)["median"] == pytest.approx(0.5, rel=0.05)


def test_turns_alternate_and_every_second_round_goes_backwards(clock):
    order = []

    def meter(name):
        @contextmanager
        def ready():
            order.append(name)
            yield stopwatch(lambda: clock.advance(300), clock)

        return ready

    measure([meter("a"), meter("b")], Effort(0.1, 1, slices=3), clock)
    assert "".join(order) == "ab" + "abbaab"


def test_a_lost_source_leaves_what_was_measured(clock):
    left = iter(range(40))

    def lap():
        if next(left, None) is None:
            raise SourceLost("camera 0: gone")
        clock.advance(125)
        return Lap(125.0)

    (one, two), lost = measure([always(lap), always(lap)], Effort(2, 10, slices=2), clock)
    assert lost == "camera 0: gone"
    # Warming up took 10 laps each, and 3 of each turn do not count.
    assert [len(part) for part in one.slices] == [8]
    assert [len(part) for part in two.slices] == [40 - 2 * 10 - (3 + 8) - 3]


def test_summary():
    record = summarise(Course([laps(*range(1, 51)), laps(*range(51, 102))], steady=True), "a walk")
    assert record["ms"] == {"mean": 51, "p50": 51, "p90": 91, "p95": 96, "p99": 100, "max": 101}
    assert record["count"] == 101
    assert record["seconds"] == pytest.approx(5.151)
    assert record["fps"] == pytest.approx(1000 / 51)
    assert record["slices"] == pytest.approx([1000 / 25.5, 1000 / 76])
    assert record["jitter"] == pytest.approx(1)
    assert (record["steady"], record["includes"]) == (True, "a walk")


def test_nothing_measured_is_no_record():
    assert summarise(Course(), "nothing") is None
    assert ratio(Course([laps(1)]), Course()) is None


def test_the_jitter_between_slices_does_not_count():
    assert summarise(Course([laps(10, 12), laps(100, 101)]), "")["jitter"] == pytest.approx(1.5)


def test_every_lap_is_in_the_histogram():
    counted = histogram(np.array([1.0, 2.0, 2.0, 4.0, 9.0]), most=4)
    assert counted == {"ms": [1, 2, 3, 4, 9], "count": [1, 2, 0, 2]}


def test_the_bin_of_the_slowest_is_no_narrower_than_others():
    edges = histogram(np.array([1.0, 2.0, 4.0, 4.001]), most=4)["ms"]
    assert edges == [1, 2, 3, 4, 5]


def test_equal_times_are_a_histogram_too():
    assert sum(histogram(np.full(7, 3.0))["count"]) == 7


def test_a_timeline_keeps_the_stalls_and_is_bounded():
    times = np.ones(1000)
    times[500] = 80
    course = timeline(times, points=10)
    assert course["max"] == [1] * 5 + [80] + [1] * 4
    assert course["p50"] == [1] * 10
    assert course["seconds"][-1] == pytest.approx(times.sum() / 1000)
    assert timeline(np.array([5.0, 7.0]), points=10) == {"seconds": [0.005, 0.012], "p50": [5, 7], "max": [5, 7]}


def test_a_timeline_of_what_does_not_change_does_not_change():
    course = timeline(np.tile([10.0, 20.0], 85), points=120)
    assert set(course["p50"]) == {15}
    assert len(timeline(np.ones(241), points=120)["p50"]) == 81


def test_medians_by_stage():
    split = [{"pre": value, "copy_in": None} for value in (1.0, 5.0, 2.0)]
    assert median_split([Lap(3, each) for each in split]) == {"pre": 2.0, "copy_in": None}
