"""The clocks that decide how fast a machine computes, and whether they are held still."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runtime.device.files import found, read_number, read_text

_KHZ, _HZ = 1_000, 1_000_000
# devfreq names of GPUs: 17000000.gpu on an Orin with JetPack 6 or 7, .ga10b and .gv11b on JetPack 5, gpu-gpc-0 on Thor.
_GPU_NAMES = ("*.gpu", "*.ga10b", "*.gv11b", "gpu-gpc-*")
# Of the memory, from JetPack 7 on. Before that the firmware tells its rate, to root only, and no bounds.
_MEMORY_NAME, _MEMORY_RATE = "bwmgr", "sys/kernel/debug/bpmp/debug/clk/emc/rate"
# What switches off that an x86 processor exceeds its nominal clock while it is cool: intel_pstate's file, or others'.
_NO_TURBO = (("sys/devices/system/cpu/intel_pstate/no_turbo", 1), ("sys/devices/system/cpu/cpufreq/boost", 0))
# Clusters of a Jetson, of which it has at most three. A computer has one policy a core: these speak for the others.
_MOST_POLICIES = 4


@dataclass(frozen=True)
class Clock:
    """One clock domain.

    Attributes:
        name: ``GPU``, ``memory``, or ``CPU`` with the number of its first core.
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


class Turbo(NamedTuple):
    """Whether a processor may exceed its nominal clock while it is cool, and the command that keeps it from that."""

    on: bool
    cure: str


def clocks(root: Path) -> list[Clock]:
    """GPU and memory (of a Jetson) and CPU clocks with their bounds of now; none where the machine shows none."""
    gpus = [path for name in _GPU_NAMES for path in found(root, f"sys/class/devfreq/{name}")]
    cores = found(root, "sys/devices/system/cpu/cpufreq/policy*")
    gpu = [clock for path in gpus if (clock := _clock("GPU", path, "", _HZ))]
    memory = _clock("memory", root / "sys/class/devfreq" / _MEMORY_NAME, "", _HZ)
    cpu = [clock for path in cores if (clock := _clock(f"CPU {path.name[len('policy') :]}", path, "scaling_", _KHZ))]
    return gpu[:1] + ([memory] if memory else []) + cpu[:_MOST_POLICIES]


def _clock(name: str, folder: Path, prefix: str, unit: int) -> Clock | None:
    lowest, highest = (read_number(folder / f"{prefix}{bound}_freq") for bound in ("min", "max"))
    if lowest is None or highest is None:
        return None
    governor = read_text(folder / f"{prefix}governor")
    return Clock(name, folder / f"{prefix}cur_freq", unit, lowest / unit, highest / unit, governor)


def memory_rate(root: Path) -> Path | None:
    """The file with the present rate of the memory in Hz, if :func:`clocks` does not know it and it may be read."""
    known = any(clock.name == "memory" for clock in clocks(root))
    return root / _MEMORY_RATE if not known and read_number(root / _MEMORY_RATE) is not None else None


def turbo(root: Path) -> Turbo | None:
    """Of this machine; None where it does not tell."""
    for name, off in _NO_TURBO:
        state = read_number(root / name)
        if state is not None:
            return Turbo(state != off, f"echo {off} | sudo tee /{name}")
    return None
