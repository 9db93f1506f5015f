import os
from pathlib import Path

import pytest

from runtime.device.load import CpuLoad, Others

TICKS = os.sysconf("SC_CLK_TCK")


def process(machine, pid, name, seconds):
    machine.write(f"proc/{pid}/stat", f"{pid} ({name}) S 1 1 1 0 -1 0 0 0 0 0 {seconds * TICKS:.0f} 0 0 0 20 0 1 0 9\n")


@pytest.fixture
def busy(machine):
    """Ten seconds in which all processors worked for eight, this process for three and another one for four."""
    computer = machine("computer")
    now, used = [0.0], [1.0]
    process(computer, 7, "a (strange) name", 100)
    process(computer, os.getpid(), "python", 1)
    others = Others(computer.root, lambda: now[0], lambda: used[0])
    now[0], used[0] = 10.0, 4.0
    computer.write("proc/stat", f"cpu  {1000 + 8 * TICKS} 0 500 {90000 + 2 * TICKS} 100 0 20 0 0 0\n")
    process(computer, 7, "a (strange) name", 104)
    process(computer, 8, "new", 1)
    process(computer, os.getpid(), "python", 4)
    return computer, others


def test_cores_that_others_kept_busy(busy):
    assert busy[1].cores() == pytest.approx(0.5)


def test_the_one_that_took_most(busy):
    intruder = busy[1].intruder()
    assert (intruder.name, intruder.pid, intruder.cores) == ("a (strange) name", 7, pytest.approx(0.4))


def test_no_figure_without_counts(busy):
    computer, others = busy
    for content in ("", "cpu  1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n"):
        computer.write("proc/stat", content)
        assert others.cores() is None


def test_nobody_else(machine):
    now = [0.0]
    others = Others(machine("nothing").root, lambda: now[0])
    now[0] = 1.0
    assert others.cores() is None
    assert others.intruder() is None


def test_own_work_is_not_that_of_others():
    """On this very machine: what this process does never counts, whoever else is at work."""
    others = Others(Path("/"))
    sum(number * number for number in range(2_000_000))
    intruder = others.intruder()
    assert intruder is None or intruder.pid != os.getpid()
    assert others.cores() is None or others.cores() >= 0


@pytest.mark.parametrize(
    "counts", ["cpu  1 2 3", "cpu  a b c d e f g h", "cpu  1 2 3 4 5 6 7 x", "", "intr 1 2 3 4 5 6 7 8 9"]
)
def test_counts_that_are_none(machine, counts):
    laid = machine("computer")
    laid.write("proc/stat", counts)
    laid.write("proc/7/stat", "7 (a) b) S " + "x " * 40)
    assert CpuLoad(laid.root).read() is None
    assert Others(laid.root).cores() is None and Others(laid.root).intruder() is None
