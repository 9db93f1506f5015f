"""What machine this is, in the words of its own files and tools; what cannot be found out is left out."""

import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

Facts = dict[str, str | int | float]
# Runs a command and returns what it printed, empty where it is absent or fails.
Ask = Callable[[Sequence[str]], str]


def ask(command: Sequence[str]) -> str:
    """Run a short command for its output; "" where that fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def probe(root: Path = Path("/"), ask: Ask = ask) -> Facts:
    """Facts about this machine, flat, for the ``device`` part of a report.

    Args:
        root: where ``proc``, ``sys`` and ``etc`` lie.
        ask: runs ``nvidia-smi`` and ``nvpmodel``.
    """
    machine = {**_processor(root), **_graphics(ask), **_jetson(root, ask)}
    name = machine.get("board") or machine.get("gpu") or machine["cpu"]
    return {
        "name": name,
        **machine,
        "os": _system(root),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _processor(root: Path) -> Facts:
    info = _read(root / "proc/cpuinfo")
    model = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", info, re.MULTILINE)
    facts: Facts = {"cpu": model[1].strip() if model else platform.machine(), "cores": _cores()}
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    if memory:
        facts["memory"] = f"{int(memory[1]) / 2**20:.1f} GiB"
    clock = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq")
    if clock.isdecimal():
        facts["cpu_max_mhz"] = int(clock) // 1000
    governor = _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor:
        facts["cpu_governor"] = governor
    return facts


def _cores() -> int:
    """Cores this process may use, which a container or taskset can make fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graphics(ask: Ask) -> Facts:
    names = ("gpu", "gpu_driver", "gpu_memory", "gpu_power_limit")
    answer = ask(["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"])
    values = [value.strip() for value in answer.partition("\n")[0].split(",")]
    if len(values) != len(names):
        return {}
    # A Jetson's nvidia-smi answers "[N/A]" to most of these.
    return {name: value for name, value in zip(names, values, strict=True) if value and "N/A" not in value}


def _jetson(root: Path, ask: Ask) -> Facts:
    facts: Facts = {}
    board = _read(root / "proc/device-tree/model")
    if board:
        facts["board"] = board
    release = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _read(root / "etc/nv_tegra_release"))
    if not release:
        return facts
    facts["l4t"] = f"{release[1]}.{release[2]}"
    mode = re.search(r"NV Power Mode:\s*(.+)", ask(["nvpmodel", "-q"]))
    if mode:
        facts["power_mode"] = mode[1].strip()
    # The GPU is 17000000.gpu, on JetPack 5 17000000.ga10b or .gv11b; equal bounds mean that jetson_clocks pinned it.
    for entry in (root / "sys/class/devfreq").glob("17000000.*"):
        for fact, file in (("gpu_min_mhz", "min_freq"), ("gpu_max_mhz", "max_freq")):
            clock = _read(entry / file)
            if clock.isdecimal():
                facts[fact] = int(clock) // 1_000_000
    return facts


def _system(root: Path) -> str:
    pretty = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read(root / "etc/os-release"), re.MULTILINE)
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{pretty[1]}, {kernel}" if pretty else kernel


def _read(path: Path) -> str:
    try:
        # Device tree strings end with a zero byte.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""
