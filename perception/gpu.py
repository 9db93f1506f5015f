"""Which GPU this machine computes on, asked of its driver; needs no CUDA library beside that."""

import ctypes
from dataclasses import dataclass

DRIVER = "libcuda.so.1"
# CUdevice_attribute of CUDA's driver API.
_MAJOR, _MINOR = 75, 76
_NAME_LENGTH = 256


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: as its driver calls it.
        compute_capability: such as ``8.7`` for Orin.
    """

    name: str
    compute_capability: str

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


def find_gpu(driver: str = DRIVER) -> Gpu | None:
    """The first GPU that CUDA shows to this process; None without a driver or a GPU."""
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return None
    device = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return None
    name = ctypes.create_string_buffer(_NAME_LENGTH)
    numbers = ctypes.c_int(), ctypes.c_int()
    failed = cuda.cuDeviceGetName(name, _NAME_LENGTH, device)
    for number, attribute in zip(numbers, (_MAJOR, _MINOR), strict=True):
        failed |= cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
    if failed:
        return None
    return Gpu(name.value.decode(errors="replace"), ".".join(str(number.value) for number in numbers))
