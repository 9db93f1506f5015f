"""The clocks that decide how fast a machine computes, and whether they are held still."""

from dataclasses import dataclass
from pathlib import Path

from runtime.device.files import found, read_number, read_text

_KHZ, _HZ = 1_000, 1_000_000
# devfreq names of GPUs: 17000000.gpu on an Orin with JetPack 6 or 7, .ga10b and .gv11b on JetPack 5, gpu-gpc-0 on Thor.
_GPU_NAMES = ("*.gpu", "*.ga10b", "*.gv11b", "gpu-gpc-*")
# The memory clock, where it can be read: by root only through the firmware's own files, or as a devfreq device.
_MEMORY_RATES = ("sys/class/devfreq/bwmgr/cur_freq", "sys/kernel/debug/bpmp/debug/clk/emc/rate")
# Clusters of a Jetson, of which it has at most three. A computer has one policy a core: these speak for the others.
_MOST_POLICIES = 4


@dataclass(frozen=True)
class Clock:
    """One clock domain.

    Attributes:
        name: ``GPU``, or ``CPU`` with the number of its first core.
        file: holds the present rate.
        unit: divides what the files hold, to MHz.
        lowest: MHz it may fall to.
        highest: MHz it may rise to.
        governor: who decides in between.
    """

    name: str
    file: Path
    unit: int
    lowest: float
    highest: float
    governor: str

    @property
    def locked(self) -> bool:
        """Whether it has nowhere to go: what ``jetson_clocks`` does, or a governor that always wants the most."""
        return self.lowest == self.highest or self.governor == "performance"

    def read(self) -> float | None:
        """Its present rate in MHz."""
        rate = read_number(self.file)
        return None if rate is None else rate / self.unit


def clocks(root: Path) -> list[Clock]:
    """GPU (of a Jetson) and CPU clocks with the bounds they have now; none where the machine shows none."""
    gpus = [path for name in _GPU_NAMES for path in found(root, f"sys/class/devfreq/{name}")]
    cores = found(root, "sys/devices/system/cpu/cpufreq/policy*")
    gpu = [clock for path in gpus if (clock := _clock("GPU", path, "", _HZ))]
    cpu = [clock for path in cores if (clock := _clock(f"CPU {path.name[len('policy') :]}", path, "scaling_", _KHZ))]
    return gpu[:1] + cpu[:_MOST_POLICIES]


def _clock(name: str, folder: Path, prefix: str, unit: int) -> Clock | None:
    lowest, highest = (read_number(folder / f"{prefix}{bound}_freq") for bound in ("min", "max"))
    if lowest is None or highest is None:
        return None
    governor = read_text(folder / f"{prefix}governor")
    return Clock(name, folder / f"{prefix}cur_freq", unit, lowest / unit, highest / unit, governor)


def memory_clock(root: Path) -> Path | None:
    """The file with the present rate of the memory in Hz, where it may be read."""
    return next((root / name for name in _MEMORY_RATES if read_number(root / name) is not None), None)
