"""The machine's side of a benchmark: one sampler for all of it, and when what was measured."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import Any

from runtime.device import Sampler
from runtime.device.sensors import OWN_GPU_MEMORY


class Watch:
    """Looks at the machine from entering to leaving, and remembers the phases in between.

    Args:
        sampler: makes what looks.
        clock: seconds, monotonic; the sampler's own.
    """

    def __init__(self, sampler: Callable[[], Sampler] = Sampler, clock: Callable[[], float] = time.monotonic):
        self._make, self._clock = sampler, clock
        self._phases: list[dict[str, Any]] = []

    def __enter__(self) -> "Watch":
        self._sampler = self._make()
        self._start = self._clock()
        self._sampler.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._sampler.__exit__(*error)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """While this is entered, ``name`` is measured."""
        begin = self._clock() - self._start
        try:
            yield
        finally:
            end = self._clock() - self._start
            self._phases.append({"name": name, "from": round(begin, 3), "to": round(end, 3)})

    def record(self, lost: str) -> dict[str, Any]:
        """The ``run`` of a report.

        Args:
            lost: the source's last words where it ended the measurement early, else "".

        Returns:
            The ``sampler``'s record, see :meth:`runtime.device.Sampler.record`; the ``phases``, each with ``name``,
            ``from`` and ``to`` in seconds of its times; ``host_memory``, the most that this process ever held, in
            bytes, and ``device_memory``, the most that was seen of its memory on a graphics card, None where none was;
            ``lost``.
        """
        sampler = self._sampler.record()
        own = sampler["memory"].get(OWN_GPU_MEMORY)
        return {
            "sampler": sampler,
            "phases": list(self._phases),
            "host_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "device_memory": round(own["max"] * 1e6) if own else None,
            "lost": lost,
        }

    def watts(self, name: str) -> float | None:
        """Mean power of the whole machine in a phase that is over; None where none was read meanwhile."""
        seen = self._sampler.record()
        total = seen["total_power"]
        if total is None:
            return None
        begin, end = next((phase["from"], phase["to"]) for phase in self._phases if phase["name"] == name)
        rails = [seen["power"][rail]["series"] for rail in total["of"]]
        readings = [
            sum(values)
            for moment, *values in zip(seen["times"], *rails, strict=True)
            if begin <= moment <= end and None not in values
        ]
        return fmean(readings) if readings else None
