"""Whether a figure measured on this machine can be had again: reasons against it, each with its remedy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime.device.clocks import Clock
from runtime.device.load import Intruder

# Cores that others may keep busy: a system at rest takes a few hundredths.
_MOST_OTHERS = 0.1
# A card's clock that stays within this while it is busy is held still; below this load it may sleep.
_STILL, _BUSY = 0.95, 0.8


@dataclass(frozen=True)
class Fault:
    """Why a figure is not certified, and what to do: a command, where one helps."""

    fault: str
    cure: str


def of_clocks(clocks: Iterable[Clock], jetson: bool) -> list[Fault]:
    """Clocks that may move while something is measured."""
    known = list(clocks)
    if not known:
        return [Fault("the clocks of this machine cannot be read", "measure outside of virtual machines")]
    if jetson and not any(clock.name == "GPU" for clock in known):
        return [
            Fault("the GPU's clock cannot be read", "ls /sys/class/devfreq shows how it is called; please report it")
        ]
    floating = [clock for clock in known if not clock.locked]
    if not floating:
        return []
    ranges = ", ".join(f"{clock.name} {clock.lowest:.0f} to {clock.highest:.0f} MHz" for clock in floating)
    cure = "sudo jetson_clocks" if jetson else "sudo cpupower frequency-set --governor performance"
    return [Fault(f"clocks float: {ranges}", cure)]


def of_turbo(command: str) -> list[Fault]:
    """A processor that is faster while it is cool; ``command`` keeps it from that."""
    return [Fault("the processor may exceed its nominal clock while it is cool", command)]


def of_card(rates: Sequence[float | None], loads: Sequence[float | None]) -> list[Fault]:
    """A graphics card whose clock moved while it was busy; a card does not say whether its clock is locked."""
    busy = [rate for rate, load in zip(rates, loads, strict=True) if rate and load and load >= _BUSY]
    if not busy or min(busy) >= _STILL * max(busy):
        return []
    fault = f"the GPU's clock moved between {min(busy):.0f} and {max(busy):.0f} MHz"
    return [Fault(fault, f"sudo nvidia-smi --lock-gpu-clocks={min(busy):.0f}")]


def of_others(cores: float | None, intruder: Intruder | None) -> list[Fault]:
    """Other processes at work."""
    if cores is None or cores <= _MOST_OTHERS:
        return []
    share = f"{cores:.0%} of a core" if cores < 1 else f"{cores:.1f} cores"
    if intruder is None:
        return [Fault(f"other processes use {share}", "top -o %CPU")]
    fault = f"other processes use {share}, most of all {intruder.name} (process {intruder.pid})"
    return [Fault(fault, f"kill -STOP {intruder.pid}; later kill -CONT {intruder.pid}")]


def of_card_users(strangers: Sequence[int]) -> list[Fault]:
    """Other processes that compute on the graphics card, by number."""
    if not strangers:
        return []
    numbers = " ".join(map(str, strangers))
    return [
        Fault(f"other processes compute on the GPU: {numbers}", f"kill -STOP {numbers}; later kill -CONT {numbers}")
    ]


def of_throttling(seconds: float, names: Sequence[str], jetson: bool) -> list[Fault]:
    """A machine that slowed itself down."""
    cure = "sudo jetson_clocks --fan" if jetson else "nvidia-smi -q -d PERFORMANCE"
    remedy = f"{cure}; over-current and under-voltage ask for a stronger supply or a lower power mode"
    return [Fault(f"throttled from {seconds:.1f} s on: {', '.join(names)}", remedy)]
