"""The NVIDIA GPU of a computer through the driver's own library, which needs no package.

Functions and constants from NVIDIA's NVML API reference. Not tried on a GPU by us: tests use a stand-in library.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any

from perception.gpu import pci_address

_LIBRARY = "libnvidia-ml.so.1"
_SUCCESS = 0
_CORE_TEMPERATURE = 0
_SM_CLOCK, _MEMORY_CLOCK = 1, 2
_MOST_PROCESSES = 64
# NVML_VALUE_NOT_AVAILABLE
_UNKNOWN = 2**64 - 1
# One function; the second name is that of older drivers, which newer ones still have.
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
# Bits of nvmlClocksEventReasons that mean that the GPU is slower than it could be.
_SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal",
    0x40: "hardware thermal",
    0x80: "power brake",
}


class _Utilisation(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Gpu:
    """What one GPU measures of itself. A quantity that it does not support reads as None.

    Args:
        library: the loaded and initialised NVML.
        handle: of the GPU, from that library.
    """

    def __init__(self, library: Any, handle: ctypes.c_void_p):
        self._library = library
        self._handle = handle

    def watts(self) -> float | None:
        """Power of the whole card."""
        milliwatts = self._number("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1000

    def celsius(self) -> float | None:
        """Temperature of the core."""
        return self._number("nvmlDeviceGetTemperature", _CORE_TEMPERATURE)

    def mhz(self) -> float | None:
        """Clock of the multiprocessors."""
        return self._number("nvmlDeviceGetClockInfo", _SM_CLOCK)

    def memory_mhz(self) -> float | None:
        """Clock of the memory."""
        return self._number("nvmlDeviceGetClockInfo", _MEMORY_CLOCK)

    def load(self) -> float | None:
        """Share of the time in which something ran, in [0, 1]."""
        found = _Utilisation()
        status = self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(found))
        return found.gpu / 100 if status == _SUCCESS else None

    def own_megabytes(self) -> float | None:
        """Memory that this process holds; None where it is not listed, as in most containers."""
        used = self._computing().get(os.getpid(), _UNKNOWN)
        return None if used == _UNKNOWN else used / 1e6

    def strangers(self) -> list[int]:
        """Other processes that compute on it; none where this one is not listed and cannot be told from others."""
        found = self._computing()
        return [pid for pid in found if pid != os.getpid()] if os.getpid() in found else []

    def slowed(self) -> list[str]:
        """Why it is slower than it could be, now; empty where nothing holds it back."""
        bits = ctypes.c_ulonglong()
        ask = next(filter(None, (getattr(self._library, name, None) for name in _REASONS)), None)
        if ask is None or ask(self._handle, ctypes.byref(bits)) != _SUCCESS:
            return []
        return [f"GPU {reason}" for bit, reason in _SLOWED.items() if bits.value & bit]

    def _computing(self) -> dict[int, int]:
        """Bytes held by each process that computes on it; empty where it does not tell."""
        # Drivers before 510 have another structure under another name.
        ask = getattr(self._library, "nvmlDeviceGetComputeRunningProcesses_v3", None)
        found, count = (_Process * _MOST_PROCESSES)(), ctypes.c_uint(_MOST_PROCESSES)
        if ask is None or ask(self._handle, ctypes.byref(count), found) != _SUCCESS:
            return {}
        return {process.pid: process.used for process in found[: count.value]}

    def _number(self, function: str, *arguments: int) -> float | None:
        found = ctypes.c_uint()
        ask = getattr(self._library, function, None)
        known = ask is not None and ask(self._handle, *arguments, ctypes.byref(found)) == _SUCCESS
        return found.value if known else None


def open_gpu(name: str = _LIBRARY, address: Callable[[], str] = pci_address) -> Gpu | None:
    """The GPU that CUDA computes on, else the first; None without a driver or a GPU.

    Args:
        name: of NVML's library.
        address: says where that GPU sits, "" if nobody knows.
    """
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    handle = ctypes.c_void_p()
    if library.nvmlInit_v2() != _SUCCESS:
        return None
    place = address().encode()
    found = bool(place) and library.nvmlDeviceGetHandleByPciBusId_v2(place, ctypes.byref(handle)) == _SUCCESS
    if not found and library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) != _SUCCESS:
        return None
    return Gpu(library, handle)
