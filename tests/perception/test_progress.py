import io

import pytest

from perception.progress import Progress, track


class Clock:
    """Stands still until told otherwise."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream, steps: int, seconds_each: float, total: int | None) -> str:
    clock = Clock()
    with Progress("epoch 1", total, stream=stream, clock=clock) as progress:
        for index in range(steps):
            clock.now += seconds_each
            progress.step(note=f"loss {index}")
    return stream.getvalue()


def test_log_gets_a_line_every_ten_seconds_and_a_last_one():
    lines = run(io.StringIO(), 50, 0.5, 50).splitlines()
    assert lines == [
        "epoch 1: 20/50, 2.0/s, 0:10 elapsed, 0:15 left, loss 19",
        "epoch 1: 40/50, 2.0/s, 0:20 elapsed, 0:05 left, loss 39",
        "epoch 1: 50/50, 2.0/s, 0:25 elapsed, loss 49",
    ]


def test_terminal_rewrites_one_line_five_times_a_second_at_most():
    text = run(Terminal(), 100, 0.01, 100)
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert 3 <= text.count("\r") <= 6


def test_terminal_wipes_a_longer_line_and_never_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    clock, stream = Clock(), Terminal()
    progress = Progress("x", 9, stream=stream, clock=clock)
    for note in ("a" * 60, "b"):
        clock.now += 1
        progress.step(note=note)
    first, second = stream.getvalue().split("\r")[1:]
    assert len(first) == len(second) == 49
    assert second.rstrip().endswith("b")


def test_slow_steps_show_seconds_each_and_hours():
    lines = run(io.StringIO(), 2, 1800, 4).splitlines()
    assert lines[0] == "epoch 1: 1/4, 1800.0 s each, 30:00 elapsed, 1:30:00 left, loss 0"


def test_unknown_total_ends_with_the_block():
    assert run(io.StringIO(), 3, 0.5, None) == "epoch 1: 3, 2.0/s, 0:02 elapsed, loss 2\n"


def test_reaching_the_total_closes_once():
    stream = io.StringIO()
    progress = Progress("x", 2, stream=stream, clock=Clock())
    progress.step(2)
    progress.close()
    assert stream.getvalue() == "x: 2/2, 0:00 elapsed\n"


def test_failing_work_still_ends_its_line():
    stream = Terminal()
    with pytest.raises(RuntimeError), Progress("x", 5, stream=stream, clock=Clock()):
        raise RuntimeError
    assert stream.getvalue().rstrip(" ").endswith("x: 0/5, 0:00 elapsed\n")


def test_track_yields_everything_and_reports_on_standard_error(capsys):
    assert list(track("abc", 3, "letters")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("letters: 3/3")


def test_track_left_early_says_how_far_it_came(capsys):
    items = track(range(10), 10, "frames")
    next(items)
    next(items)
    items.close()
    assert capsys.readouterr().err.startswith("frames: 1/10")
