"""Power of a processor package from its energy counter (RAPL), as the kernel's powercap interface shows it."""

import time
from collections.abc import Callable
from pathlib import Path

from runtime.device.files import read_number


class Package:
    """Mean power between one reading and the next.

    Args:
        zone: folder of the package.
        clock: seconds, monotonic.
    """

    def __init__(self, zone: Path, clock: Callable[[], float] = time.monotonic):
        self._energy = zone / "energy_uj"
        self._range = read_number(zone / "max_energy_range_uj") or 0
        self._clock = clock
        self._last = (clock(), read_number(self._energy))

    def watts(self) -> float | None:
        """Since the last call, or since this was made; None where either end could not be read."""
        (then, before), self._last = self._last, (self._clock(), read_number(self._energy))
        now, after = self._last
        if before is None or after is None or now <= then:
            return None
        # The counter starts again at zero when it has passed its range.
        spent = after - before if after >= before else after - before + self._range
        return spent / 1e6 / (now - then)
