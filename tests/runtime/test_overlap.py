import itertools
import threading

import pytest

from runtime.channel import Stalled
from runtime.overlap import overlap


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def test_order_is_kept():
    stages = (lambda number: number + 1, str, lambda text: text * 2)
    assert list(overlap(range(50), stages)) == [str(number + 1) * 2 for number in range(50)]


def test_nothing_to_do():
    assert list(overlap([], (str,))) == []
    assert list(overlap(range(3), ())) == [0, 1, 2]


def test_stages_work_at_the_same_time():
    # Each stage waits until the other is at work too: one after the other, this could never end.
    meeting = threading.Barrier(2)

    def wait(number):
        meeting.wait(timeout=10)
        return number

    def first(number):
        return wait(number) if number else number

    def second(number):
        return wait(number) if number < 9 else number

    assert list(overlap(range(10), (first, second))) == list(range(10))


def test_a_slow_end_holds_back_an_endless_source():
    read = []

    def source():
        for number in itertools.count():
            read.append(number)
            yield number

    depth, stages = 2, (str, str)
    results = overlap(source(), stages, depth)
    assert [next(results) for _ in range(5)] == list("01234")
    results.close()
    # Every queue full, and one item in the hands of each thread.
    assert len(read) <= 5 + (len(stages) + 1) * (depth + 1)


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failing_stage_is_raised_after_what_came_before(failing):
    def fail_at_seven(number):
        if number == 7:
            raise ValueError("seven")
        return number

    stages = [lambda number: number] * 3
    stages[failing] = fail_at_seven
    results = overlap(itertools.count(), stages)
    seen = []
    with pytest.raises(ValueError, match="seven"):
        for number in results:
            seen.append(number)
    assert seen == list(range(7))


def test_a_failing_source_is_raised():
    def source():
        yield 1
        raise OSError("cable")

    results = overlap(source(), (str,))
    assert next(results) == "1"
    with pytest.raises(OSError, match="cable"):
        next(results)


def test_the_newest_counts_where_nobody_is_waited_for():
    dropped, read = [], threading.Event()

    def source():
        yield from range(100)
        read.set()

    results = overlap(source(), (), 1, dropped.append)
    seen = [next(results)]
    assert read.wait(10)
    seen += results
    # Whatever was not seen was dropped, and the last one always comes.
    assert sorted([*seen, *dropped]) == list(range(100))
    assert seen == sorted(seen)
    assert seen[-1] == 99


def test_a_source_that_stalls_is_given_up():
    hung = threading.Event()

    def source():
        yield 1
        hung.wait(10)

    results = overlap(source(), (str,), patience=0.05)
    assert next(results) == "1"
    with pytest.raises(Stalled):
        next(results)
    hung.set()
    for thread in threading.enumerate():
        if thread.daemon:
            thread.join(10)
