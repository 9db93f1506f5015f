"""Watches the machine while something is measured on it.

with Sampler() as sampler:
    measure()
record = sampler.record()
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from runtime.device import certificate
from runtime.device.alarms import alarms
from runtime.device.board import is_jetson
from runtime.device.certificate import Fault
from runtime.device.clocks import clocks, turbo
from runtime.device.load import Others
from runtime.device.nvml import Gpu, open_gpu
from runtime.device.sensors import KINDS, sensors, whole_power
from runtime.device.series import Series

# Kept of each quantity, whatever the length of the run: enough for a plot.
_POINTS = 120


class Sampler:
    """Reads power, temperatures, clocks, load and memory at even distances, in a thread of its own.

    Its cost is measured by ``benchmarks/sampler.py``. What vanishes meanwhile (a core that goes offline) reads as
    None from then on.

    Args:
        root: where ``proc`` and ``sys`` lie.
        period: seconds from one reading to the next.
        clock: seconds, monotonic.
        open_card: finds the graphics card of a computer.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        period: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        open_card: Callable[[], Gpu | None] = open_gpu,
    ):
        self._period, self._clock = period, clock
        # As they are before the run: throttling lowers the bounds too.
        self._clocks, self._turbo = clocks(root), turbo(root)
        self._jetson = is_jetson(root) or any(clock.name == "GPU" for clock in self._clocks)
        self._gpu = None if self._jetson else open_card()
        self._sensors = sensors(root, self._gpu)
        self._alarms = alarms(root, self._gpu, self._sensors)
        self._series = Series(len(self._sensors), _POINTS)
        self._events: dict[str, float] = {}
        self._others = Others(root, clock)
        self._start, self._end = clock(), clock()
        self._final: dict[str, Any] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.sample()
        self._final = self._build()

    def sample(self) -> None:
        """Take one reading now; the thread does so by itself."""
        with self._lock:
            self._end = self._clock()
            moment = self._end - self._start
            self._series.add(round(moment, 3), [sensor.read() for sensor in self._sensors])
            for alarm in self._alarms:
                for name in alarm():
                    self._events.setdefault(name, moment)

    def record(self) -> dict[str, Any]:
        """All that was seen so far, for JSON.

        Returns:
            ``seconds`` watched, ``period`` and number of ``samples``; ``times`` (seconds from the start) of the
            course; by kind (``power`` in W, ``temperature`` in °C, ``clock`` in MHz, ``load`` as a fraction,
            ``memory`` in MB) and name the ``mean``, ``min``, ``max`` and ``series`` of each quantity; ``total_power``
            with the names it adds up, mean ``watts`` and ``joules`` (None where no power can be read); ``others``, the
            cores that other processes kept busy; ``alarms``, the signs of throttling that the machine shows (with none,
            nobody knows); ``throttled``, None or the seconds ``at`` which it began and what it was ``by``;
            ``certified``, and the ``faults`` against it, each with its ``cure``.
        """
        if self._final:
            return self._final
        with self._lock:
            return self._build()

    def _watch(self) -> None:
        while not self._stop.wait(self._period):
            self.sample()

    def _build(self) -> dict[str, Any]:
        seconds = self._end - self._start
        quantities: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        for index, sensor in enumerate(self._sensors):
            summary = self._series.summary(index)
            if summary:
                quantities[sensor.kind][sensor.name] = summary
        others = self._others.cores()
        faults = self._faults(others)
        return {
            "seconds": round(seconds, 3),
            "period": self._period,
            "samples": self._series.seen,
            "times": list(self._series.times),
            **quantities,
            "total_power": self._total_power(seconds),
            "others": None if others is None else round(others, 3),
            "alarms": len(self._alarms),
            "throttled": self._throttled(),
            "certified": not faults,
            "faults": [{"fault": fault.fault, "cure": fault.cure} for fault in faults],
        }

    def _total_power(self, seconds: float) -> dict[str, Any] | None:
        means = {
            sensor.name: mean
            for index, sensor in enumerate(self._sensors)
            if sensor.kind == "power" and (mean := self._series.mean(index)) is not None
        }
        if not means:
            return None
        names = whole_power(means)
        watts = sum(means[name] for name in names)
        return {"of": list(names), "watts": round(watts, 3), "joules": round(watts * seconds, 3)}

    def _throttled(self) -> dict[str, Any] | None:
        if not self._events:
            return None
        return {"at": round(min(self._events.values()), 3), "by": list(self._events)}

    def _faults(self, others: float | None) -> list[Fault]:
        faults = certificate.of_clocks(self._clocks, self._jetson)
        if self._turbo and self._turbo.on:
            faults += certificate.of_turbo(self._turbo.cure)
        if self._gpu:
            faults += certificate.of_card(*(self._course(kind, "GPU") for kind in ("clock", "load")))
            faults += certificate.of_card_users(self._gpu.strangers())
        faults += certificate.of_others(others, self._others.intruder())
        if self._events:
            faults += certificate.of_throttling(min(self._events.values()), list(self._events), self._jetson)
        return faults

    def _course(self, kind: str, name: str) -> list[float | None]:
        for index, sensor in enumerate(self._sensors):
            if (sensor.kind, sensor.name) == (kind, name):
                return self._series.column(index)
        return [None] * len(self._series.times)
