"""Which GPU this machine computes on, asked of its driver; needs no CUDA library beside that."""

import ctypes
from dataclasses import dataclass

DRIVER = "libcuda.so.1"
# CUdevice_attribute of CUDA's driver API.
_MULTIPROCESSORS, _MAJOR, _MINOR = 16, 75, 76
_NAME_LENGTH = 256
_ADDRESS_LENGTH = 32


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: as its driver calls it.
        compute_capability: such as ``8.7`` for Orin.
        multiprocessors: how many it has. All Orins share name and capability; this is where they, and their power
            modes, differ.
    """

    name: str
    compute_capability: str
    multiprocessors: int

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability}, {self.multiprocessors} multiprocessors)"


def find_gpu(driver: str = DRIVER) -> Gpu | None:
    """The first GPU that CUDA shows to this process; None without a driver or a GPU."""
    opened = _open(driver)
    if opened is None:
        return None
    cuda, device = opened
    name = ctypes.create_string_buffer(_NAME_LENGTH)
    major, minor, multiprocessors = numbers = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    failed = cuda.cuDeviceGetName(name, _NAME_LENGTH, device)
    for number, attribute in zip(numbers, (_MAJOR, _MINOR, _MULTIPROCESSORS), strict=True):
        failed |= cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
    if failed:
        return None
    return Gpu(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", multiprocessors.value)


def pci_address(driver: str = DRIVER) -> str:
    """Where the same GPU sits, such as ``0000:65:00.0``: other tools count GPUs in another order. "" without one."""
    opened = _open(driver)
    address = ctypes.create_string_buffer(_ADDRESS_LENGTH)
    if opened is None or opened[0].cuDeviceGetPCIBusId(address, _ADDRESS_LENGTH, opened[1]):
        return ""
    return address.value.decode()


def _open(driver: str) -> tuple[ctypes.CDLL, ctypes.c_int] | None:
    """The driver, and the first GPU that it shows to this process."""
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return None
    device = ctypes.c_int()
    return None if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) else (cuda, device)
