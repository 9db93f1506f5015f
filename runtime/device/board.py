"""What a Jetson says of itself: module, software, power mode. All from files, as NVIDIA's developer guide names them.

Laid out from documentation and published listings of Orin boards with JetPack 6 and 7; not tried on a board by us.
"""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runtime.device.files import read_number, read_text

# Compute capability by system on chip, the last entry of the device tree's "compatible".
_CAPABILITY = {"nvidia,tegra194": "7.2", "nvidia,tegra234": "8.7", "nvidia,tegra264": "11.0"}


class PowerMode(NamedTuple):
    """One of a board's power modes, as ``nvpmodel`` counts them."""

    number: int
    name: str


def describe(root: Path) -> dict[str, str | int | float]:
    """Facts about the board; empty on any other machine."""
    facts: dict[str, str | int | float | None] = {
        "board": read_text(root / "proc/device-tree/model"),
        "l4t": _l4t(root),
        "compute_capability": _capability(root),
        **_versions(root),
    }
    mode, fastest = power_mode(root), fastest_mode(root)
    if mode:
        facts["power_mode"] = mode.name
        if fastest and fastest != mode:
            facts["fastest_power_mode"] = f"{fastest.name} (sudo nvpmodel -m {fastest.number})"
    cap = read_number(root / "sys/kernel/nvpmodel_clk_cap/emc")
    if cap:
        facts["memory_max_mhz"] = cap // 1_000_000
    return {name: value for name, value in facts.items() if value}


def is_jetson(root: Path) -> bool:
    """Whether the device tree says so; a container may hide it."""
    return "nvidia,tegra" in read_text(root / "proc/device-tree/compatible")


def power_mode(root: Path) -> PowerMode | None:
    """The mode that is set; the default one of a board where none was ever chosen."""
    chosen = re.search(r"pmode:(\d+)", read_text(root / "var/lib/nvpmodel/status"))
    known = chosen or re.search(r"<\s*PM_CONFIG\s+DEFAULT=(\d+)\s*>", read_text(root / "etc/nvpmodel.conf"))
    if not known:
        return None
    number = int(known[1])
    return next((mode for mode in _modes(root) if mode.number == number), PowerMode(number, f"mode {number}"))


def fastest_mode(root: Path) -> PowerMode | None:
    """The mode without limits. Its number differs by board: 0 on AGX Orin, 2 on an Orin Nano with Super modes."""
    unlimited = [mode for mode in _modes(root) if mode.name.startswith("MAXN")]
    return max(unlimited, key=lambda mode: mode.name.endswith("SUPER"), default=None)


def _modes(root: Path) -> list[PowerMode]:
    entries = re.findall(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", read_text(root / "etc/nvpmodel.conf"))
    return [PowerMode(int(number), name) for number, name in entries]


def _l4t(root: Path) -> str:
    release = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", read_text(root / "etc/nv_tegra_release"))
    return f"{release[1]}.{release[2]}" if release else ""


def _capability(root: Path) -> str:
    chips = read_text(root / "proc/device-tree/compatible").split("\0")
    return next((_CAPABILITY[chip] for chip in chips if chip in _CAPABILITY), "")


def _versions(root: Path) -> dict[str, str]:
    """JetPack, CUDA and TensorRT as installed; each is left out where it is not."""
    try:
        installed = (root / "var/lib/dpkg/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        installed = ""
    packages = {"jetpack": "nvidia-jetpack", "tensorrt": r"libnvinfer\d+"}
    versions = {}
    for fact, package in packages.items():
        # Packages are paragraphs; those removed keep theirs, with another status.
        entry = re.search(
            rf"^Package: {package}\nStatus: install ok installed\n(?:.+\n)*?Version: (\S+)", installed, re.M
        )
        if entry:
            versions[fact] = re.split(r"[-+]", entry[1])[0]
    with suppress(ValueError, KeyError, TypeError):
        versions["cuda"] = str(json.loads(read_text(root / "usr/local/cuda/version.json"))["cuda"]["version"])
    return versions
