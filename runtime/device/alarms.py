"""Signs that the machine slows itself down, to stay cool or within its power supply."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from runtime.device.clocks import Clock, clocks
from runtime.device.files import found, read_number, read_text
from runtime.device.nvml import Gpu
from runtime.device.sensors import Sensor

# Names what slows the machine at this moment, or has begun to since it was made; empty while nothing does.
Alarm = Callable[[], list[str]]

# NVIDIA's developer guide for Orin: what the three counters of soctherm_oc count.
_OVERCURRENT = {"oc1": "under-voltage", "oc2": "average over-current", "oc3": "instantaneous over-current"}
# A locked clock this far below its rate has been taken down; a GPU this busy is not asleep.
_FALLEN, _BUSY = 0.97, 0.8


def alarms(root: Path, gpu: Gpu | None, watched: list[Sensor]) -> list[Alarm]:
    """All alarms of this machine; those that count events start at what the counters hold now.

    Args:
        root: where ``sys`` lies.
        gpu: a graphics card.
        watched: the sensors of the machine, for the load of its GPU.
    """
    known = [*_thermal(root), *_overcurrent(root), *_processor(root), *_fallen(root, watched)]
    return [*known, gpu.slowed] if gpu else known


def _thermal(root: Path) -> list[Alarm]:
    """Orin's alerts, such as gpu-throttle-alert: cooling devices whose state is above 0 while they throttle."""
    devices = found(root, "sys/class/thermal/cooling_device*/type")
    alerts = [(read_text(device), device.parent / "cur_state") for device in devices]
    return [partial(_above, name, state, 0) for name, state in alerts if name.endswith("-throttle-alert")]


def _overcurrent(root: Path) -> list[Alarm]:
    """Counters of events, but of those that slow nothing down."""
    counted = found(root, "sys/class/hwmon/hwmon*/oc*_event_cnt")
    counters = [file for file in counted if read_number(file.with_name(f"{file.name[:3]}_throt_en")) != 0]
    return [_counter(_OVERCURRENT.get(counter.name[:3], "over-current"), counter) for counter in counters]


def _processor(root: Path) -> list[Alarm]:
    """x86: how often the package was too hot."""
    counters = found(root, "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count")
    return [_counter("CPU too hot", counter) for counter in counters]


def _fallen(root: Path, watched: list[Sensor]) -> list[Alarm]:
    """A GPU whose clock is locked and lower all the same. A floating clock may be low for many reasons."""
    loads = [sensor for sensor in watched if (sensor.kind, sensor.name) == ("load", "GPU")]
    locked = [clock for clock in clocks(root) if clock.name == "GPU" and clock.locked]
    return [partial(_below, clock, load) for clock in locked for load in loads]


def _counter(name: str, counter: Path) -> Alarm:
    return partial(_above, name, counter, read_number(counter) or 0)


def _above(name: str, file: Path, limit: int) -> list[str]:
    number = read_number(file)
    return [name] if number is not None and number > limit else []


def _below(clock: Clock, load: Sensor) -> list[str]:
    share, rate = load.read(), clock.read()
    if share is None or rate is None or share < _BUSY or rate >= _FALLEN * clock.highest:
        return []
    return [f"GPU clock below the {clock.highest:.0f} MHz it is locked to"]
