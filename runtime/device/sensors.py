"""Everything on this machine that is worth watching while it computes: power, temperature, clocks, load, memory.

Names of files from the kernel's hwmon, thermal, devfreq and powercap documentation and NVIDIA's developer guide for
Jetson Linux. Not tried on a board by us.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from runtime.device.clocks import clocks, memory_rate
from runtime.device.files import found, read_number, read_text
from runtime.device.load import CpuLoad
from runtime.device.nvml import Gpu
from runtime.device.rapl import Package

Kind = Literal["power", "temperature", "clock", "load", "memory"]
# Watts, degrees Celsius, megahertz, fractions of 1, megabytes.
KINDS: tuple[Kind, ...] = ("power", "temperature", "clock", "load", "memory")
# Memory of the graphics card that this process holds.
OWN_GPU_MEMORY = "GPU, this process"

# A module's whole consumption: one rail on Orin Nano and NX, the sum of three on AGX Orin (its VDDQ rail hangs on
# VIN_SYS_5V0). On a computer what can be told: the processor package and the graphics card.
_TOTALS = (("VDD_IN",), ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"))
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Names that releases have for the GPU beside the kernel's: JetPack 6, then 5.
_GPU_LOADS = ("sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load")


@dataclass(frozen=True)
class Sensor:
    """One quantity; ``read`` gives it in the unit of its kind (see ``KINDS``), None when it cannot be had now."""

    kind: Kind
    name: str
    read: Callable[[], float | None]


def sensors(root: Path, gpu: Gpu | None) -> list[Sensor]:
    """All sensors under ``root`` and of ``gpu``; none on a machine that shows nothing."""
    watched = (_rails, _packages, _zones, _rates, _loads, _memory)
    return [*(sensor for find in watched for sensor in find(root)), *_card(gpu)]


def whole_power(names: Iterable[str]) -> tuple[str, ...]:
    """Which of these power sensors add up to the machine's consumption, as far as it can be told."""
    present = tuple(names)
    return next((total for total in _TOTALS if set(total) <= set(present)), present)


def _rails(root: Path) -> list[Sensor]:
    """Channels of the INA3221 monitors: millivolts times milliamperes."""
    rails = []
    for label in found(root, "sys/bus/i2c/drivers/ina3221*/*/hwmon/hwmon*/in[123]_label"):
        name, channel = read_text(label), label.name[2]
        # "NC" is a channel that is not connected; some releases leave its label empty.
        if name not in ("", "NC"):
            rails.append(Sensor("power", name, _watts(label.parent, channel)))
    return rails


def _watts(chip: Path, channel: str) -> Callable[[], float | None]:
    def read() -> float | None:
        millivolts, milliamperes = (read_number(chip / f"{part}{channel}_input") for part in ("in", "curr"))
        return None if millivolts is None or milliamperes is None else millivolts * milliamperes / 1e6

    return read


def _packages(root: Path) -> list[Sensor]:
    """Processor packages of a computer (RAPL), where this user may read them.

    Not the zone ``psys`` beside them, for the packages are part of it.
    """
    zones = {zone: read_text(zone / "name") for zone in found(root, "sys/class/powercap/intel-rapl:[0-9]")}
    return [
        Sensor("power", f"CPU {name}", Package(zone).watts)
        for zone, name in zones.items()
        if name.startswith("package") and read_number(zone / "energy_uj") is not None
    ]


def _zones(root: Path) -> list[Sensor]:
    """Thermal zones: thousandths of a degree. Zones of parts that are switched off refuse to be read."""
    zones = found(root, "sys/class/thermal/thermal_zone*")
    return [
        Sensor(
            "temperature", read_text(zone / "type").removesuffix("-thermal") or zone.name, _scaled(zone / "temp", 1000)
        )
        for zone in zones
    ]


def _rates(root: Path) -> list[Sensor]:
    rates = [Sensor("clock", clock.name, clock.read) for clock in clocks(root)]
    memory = memory_rate(root)
    return [*rates, Sensor("clock", "memory", _scaled(memory, 1_000_000))] if memory else rates


def _loads(root: Path) -> list[Sensor]:
    """Of the GPU in thousandths of the time."""
    processor = [Sensor("load", "CPU", CpuLoad(root).read)] if read_text(root / "proc/stat") else []
    beside = [clock.file.parent / "device/load" for clock in clocks(root) if clock.name == "GPU"]
    gpus = [path for path in (*beside, *(root / name for name in _GPU_LOADS)) if read_number(path) is not None]
    return [*processor, *(Sensor("load", "GPU", _scaled(path, 1000)) for path in gpus[:1])]


def _memory(root: Path) -> list[Sensor]:
    """Of this process; on boards also of all, for what an integrated GPU takes of the memory is seen there only."""
    known = [Sensor("memory", "this process", partial(_resident, root / "proc/self/statm"))]
    if any(clock.name == "GPU" for clock in clocks(root)):
        known.append(Sensor("memory", "all processes", partial(_in_use, root / "proc/meminfo")))
    return [sensor for sensor in known if sensor.read() is not None]


def _resident(statm: Path) -> float | None:
    """proc(5): the second number counts pages in memory."""
    pages = read_text(statm).split()
    return int(pages[1]) * _PAGE / 1e6 if len(pages) > 1 and pages[1].isdecimal() else None


def _in_use(meminfo: Path) -> float | None:
    """What is not available to a new process."""
    kib = dict(re.findall(r"^(MemTotal|MemAvailable):\s*(\d+) kB", read_text(meminfo), re.MULTILINE))
    return (int(kib["MemTotal"]) - int(kib["MemAvailable"])) * 1024 / 1e6 if len(kib) == 2 else None


def _card(gpu: Gpu | None) -> list[Sensor]:
    if gpu is None:
        return []
    known = [
        Sensor("power", "GPU", gpu.watts),
        Sensor("temperature", "GPU", gpu.celsius),
        Sensor("clock", "GPU", gpu.mhz),
        Sensor("clock", "GPU memory", gpu.memory_mhz),
        Sensor("load", "GPU", gpu.load),
        Sensor("memory", OWN_GPU_MEMORY, gpu.own_megabytes),
    ]
    # A Jetson's NVML knows next to nothing, and its files say it all.
    return [sensor for sensor in known if sensor.read() is not None]


def _scaled(path: Path, divisor: int) -> Callable[[], float | None]:
    def read() -> float | None:
        number = read_number(path)
        return None if number is None else number / divisor

    return read
