"""How busy the processor is, and how much of that is the work of others, from ``/proc``."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.device.files import read_text

_TICKS = os.sysconf("SC_CLK_TCK")
# Columns of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal.
_COLUMNS, _IDLE = 8, (3, 4)
_SHORTEST = 0.1


@dataclass(frozen=True)
class Intruder:
    """The process that took most of what others took: its name, and the cores it kept busy."""

    name: str
    pid: int
    cores: float


class CpuLoad:
    """Share of all cores that were busy between one reading and the next."""

    def __init__(self, root: Path):
        self._root = root
        self._last = _machine(root)

    def read(self) -> float | None:
        """In [0, 1]; None where hardly any time has passed or ``/proc/stat`` cannot be read."""
        before, now = self._last, _machine(self._root)
        # The kernel counts in hundredths of a second: a share of a few of them says nothing.
        if before and now and now[1] - before[1] < _SHORTEST:
            return None
        self._last = now
        if before is None or now is None:
            return None
        return max(0.0, (now[0] - before[0]) / (now[1] - before[1]))


class Others:
    """What other processes took of the processor since this was made.

    Args:
        root: where ``proc`` lies.
        clock: seconds, monotonic.
        own: processor seconds that this process has used, in all its threads.
    """

    def __init__(
        self, root: Path, clock: Callable[[], float] = time.monotonic, own: Callable[[], float] = time.process_time
    ):
        self._root, self._clock, self._own = root, clock, own
        self._machine = _machine(root)
        self._processes = _processes(root)
        self._start, self._used = clock(), own()

    def cores(self) -> float | None:
        """Cores that others kept busy on average; None where ``/proc/stat`` cannot be read."""
        now, seconds = _machine(self._root), self._clock() - self._start
        if self._machine is None or now is None or seconds <= 0:
            return None
        return max(0.0, (now[0] - self._machine[0]) - (self._own() - self._used)) / seconds

    def intruder(self) -> Intruder | None:
        """Who took most, itself excepted; None where nobody took anything or processes are hidden."""
        seconds = self._clock() - self._start
        took = {
            pid: (used - self._processes.get(pid, (name, 0.0))[1], name)
            for pid, (name, used) in _processes(self._root).items()
            if pid != os.getpid()
        }
        if not took or seconds <= 0:
            return None
        pid = max(took, key=lambda pid: took[pid][0])
        used, name = took[pid]
        return Intruder(name, pid, used / seconds) if used > 0 else None


def _machine(root: Path) -> tuple[float, float] | None:
    """Busy and total seconds of all cores together since the start; waiting for a disk is not busy."""
    name, *columns = read_text(root / "proc/stat").partition("\n")[0].split() or [""]
    ticks = [int(column) / _TICKS for column in columns[:_COLUMNS] if column.isdecimal()]
    if name != "cpu" or len(ticks) < _COLUMNS:
        return None
    return sum(ticks) - sum(ticks[column] for column in _IDLE), sum(ticks)


def _processes(root: Path) -> dict[int, tuple[str, float]]:
    """Name and processor seconds of every process, by its number."""
    found = {}
    for entry in (root / "proc").glob("[0-9]*/stat"):
        # The name is in parentheses and may hold anything; user and system time are the 12th and 13th after it.
        head, _, tail = read_text(entry).rpartition(")")
        used = [int(column) / _TICKS for column in tail.split()[11:13] if column.isdecimal()]
        if len(used) == 2:
            found[int(entry.parent.name)] = (head.partition("(")[2], sum(used))
    return found
