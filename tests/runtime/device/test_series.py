import json

import pytest

from runtime.device.series import Series


def filled(count, points=10):
    series = Series(2, points)
    for number in range(count):
        series.add(float(number), (float(number), None))
    return series


def test_everything_is_kept_while_it_is_short():
    series = filled(15)
    assert series.times == [float(number) for number in range(15)]
    assert series.column(0) == series.times
    assert series.column(1) == [None] * 15


@pytest.mark.parametrize("count", [20, 21, 1000, 12345])
def test_long_runs_stay_bounded_and_even(count):
    series = filled(count)
    assert 10 <= len(series.times) < 20
    steps = {later - earlier for earlier, later in zip(series.times, series.times[1:], strict=False)}
    assert len(steps) == 1, "evenly spaced"
    assert series.times[0] == 0
    assert series.times[-1] > count - 1 - steps.pop()
    assert series.column(0) == series.times


def test_the_summary_is_that_of_all_rows():
    summary = filled(1001).summary(0)
    assert (summary["mean"], summary["min"], summary["max"]) == (500, 0, 1000)
    assert json.loads(json.dumps(summary)) == summary


def test_rounded_to_what_a_sensor_can_know():
    series = Series(1, 10)
    series.add(0.0, (12.3456789,))
    assert series.summary(0) == {"mean": 12.35, "min": 12.35, "max": 12.35, "series": [12.35]}


def test_what_was_never_read_has_no_summary():
    assert filled(5).summary(1) is None
    assert filled(0).summary(0) is None
