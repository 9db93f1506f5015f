"""What machine this is, in the words of its own files and tools; what cannot be found out is left out."""

import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from perception.gpu import pci_address
from runtime.device import board
from runtime.device.clocks import clocks, turbo
from runtime.device.files import read_text

Facts = dict[str, str | int | float]
# Runs a command and returns what it printed, empty where it is absent or fails.
Ask = Callable[[Sequence[str]], str]

# nvidia-smi's names of what is asked of it, by fact.
_GPU_QUERY = {
    "gpu": "name",
    "gpu_driver": "driver_version",
    "gpu_memory": "memory.total",
    "gpu_power_limit": "power.limit",
    "compute_capability": "compute_cap",
}


def ask(command: Sequence[str]) -> str:
    """Run a short command for its output; "" where that fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def probe(root: Path = Path("/"), ask: Ask = ask, address: Callable[[], str] = pci_address) -> Facts:
    """Facts about this machine, flat, for the ``device`` part of a report.

    Args:
        root: where ``proc``, ``sys``, ``etc`` and ``var`` lie.
        ask: runs ``nvidia-smi``.
        address: says where the GPU sits that CUDA computes on, "" if nobody knows.
    """
    machine = {**_processor(root), **_clocks(root), **_graphics(ask, address()), **board.describe(root)}
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
    info = read_text(root / "proc/cpuinfo")
    model = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", info, re.MULTILINE)
    facts: Facts = {"cpu": model[1].strip() if model else platform.machine(), "cores": _cores()}
    memory = re.search(r"^MemTotal:\s*(\d+) kB", read_text(root / "proc/meminfo"), re.MULTILINE)
    if memory:
        facts["ram"] = f"{int(memory[1]) / 2**20:.1f} GiB"
    return facts


def _cores() -> int:
    """Cores this process may use, which a container or taskset can make fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _clocks(root: Path) -> Facts:
    facts: Facts = {}
    known = clocks(root)
    for kind in ("cpu", "gpu", "memory"):
        domains = [clock for clock in known if clock.name.lower().startswith(kind)]
        if domains:
            facts[f"{kind}_min_mhz"] = round(min(clock.lowest for clock in domains))
            facts[f"{kind}_max_mhz"] = round(max(clock.highest for clock in domains))
            facts[f"{kind}_clocks"] = "locked" if all(clock.locked for clock in domains) else "floating"
            governors = sorted({clock.governor for clock in domains if clock.governor})
            if governors:
                facts[f"{kind}_governor"] = ", ".join(governors)
    if (exceeding := turbo(root)) is not None:
        facts["cpu_turbo"] = "on" if exceeding.on else "off"
    return facts


def _graphics(ask: Ask, address: str) -> Facts:
    question = ["nvidia-smi", f"--query-gpu={','.join(_GPU_QUERY.values())}", "--format=csv,noheader"]
    # Where it knows no such address, as on a board, it answers for all: the first counts.
    answer = (ask([*question, f"--id={address}"]) if address else "") or ask(question)
    values = [value.strip() for value in answer.partition("\n")[0].split(",")]
    if len(values) != len(_GPU_QUERY):
        return {}
    # A Jetson's nvidia-smi answers "[N/A]" to most of these.
    return {fact: value for fact, value in zip(_GPU_QUERY, values, strict=True) if value and "N/A" not in value}


def _system(root: Path) -> str:
    pretty = re.search(r'^PRETTY_NAME="?([^"\n]+)', read_text(root / "etc/os-release"), re.MULTILINE)
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{pretty[1]}, {kernel}" if pretty else kernel
