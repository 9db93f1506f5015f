import pytest

from runtime.timing import Effort, Lap, measure, median_split, stopwatch, summarise


def test_stopwatch(clock):
    assert stopwatch(lambda: clock.advance(12), clock)().total == pytest.approx(12)


@pytest.mark.parametrize(("seconds", "count", "expected"), [(0.5, 10, 50), (0.5, 80, 80)])
def test_measures_long_and_often_enough(clock, seconds, count, expected):
    laps, steady = measure(stopwatch(lambda: clock.advance(10), clock), Effort(seconds, count), clock)
    assert steady
    assert abs(len(laps) - expected) <= 1
    assert all(lap.total == pytest.approx(10) for lap in laps)


def test_slow_first_laps_are_warm_up(clock):
    taken = iter([200] * 5 + [100] * 5 + [40] * 5)
    laps, steady = measure(stopwatch(lambda: clock.advance(next(taken, 10)), clock), Effort(0.1, 10), clock)
    assert steady
    assert {round(lap.total) for lap in laps} == {10}


def test_gives_up_on_what_never_settles(clock):
    milliseconds = 1.0

    def ever_slower():
        nonlocal milliseconds
        milliseconds *= 1.1
        clock.advance(milliseconds)

    laps, steady = measure(stopwatch(ever_slower, clock), Effort(seconds=0.1, count=5, warm_up=2), clock)
    assert not steady
    assert len(laps) == 5


def test_summary():
    record = summarise([Lap(float(milliseconds)) for milliseconds in range(1, 102)], "a walk")
    assert record["ms"] == {"mean": 51, "p50": 51, "p90": 91, "p95": 96, "p99": 100, "max": 101}
    assert record["count"] == 101
    assert record["seconds"] == pytest.approx(5.151)
    assert record["fps"] == pytest.approx(1000 / 51)
    assert record["includes"] == "a walk"


def test_medians_by_stage():
    laps = [
        Lap(3, {"pre": 1.0, "copy_in": None}),
        Lap(3, {"pre": 5.0, "copy_in": None}),
        Lap(3, {"pre": 2.0, "copy_in": None}),
    ]
    assert median_split(laps) == {"pre": 2.0, "copy_in": None}
