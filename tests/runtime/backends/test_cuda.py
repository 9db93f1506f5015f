"""What is asked of pycuda, by one made of Python that knows as much of contexts and memory as these tests need."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from perception.errors import InputError
from runtime.backends.cuda import Device

UINT8 = np.dtype(np.uint8)
DEVICEMAP = 2


class Error(Exception):
    pass


class OutOfMemory(Error):
    pass


class Memory:
    """Counts itself as long as it is not freed."""

    def __init__(self, cuda, size, flags=0):
        if size > cuda.free:
            raise OutOfMemory
        self._cuda, self.flags = cuda, flags
        cuda.alive.append(self)

    def __int__(self):
        return id(self)

    get_device_pointer = __int__

    def free(self):
        self._cuda.alive.remove(self)


class Pinned(np.ndarray):
    base = None


class Cuda:
    """Stands in for ``pycuda.driver``.

    Attributes:
        current: the driver's stack of contexts of the one thread that is looked at.
        alive: memory that was not freed.
        free: bytes that are there.
    """

    Error, MemoryError = Error, OutOfMemory
    device_attribute = SimpleNamespace(INTEGRATED=18, CAN_MAP_HOST_MEMORY=19)
    host_alloc_flags = SimpleNamespace(DEVICEMAP=DEVICEMAP)

    def __init__(self):
        self.current, self.alive, self.free, self.integrated, self.held = [], [], 10**6, False, 0
        self.Context = SimpleNamespace(pop=self.current.pop)

    def init(self):
        pass

    def Device(self, number):
        return SimpleNamespace(
            get_attribute=lambda which: which == 19 or self.integrated, retain_primary_context=self._retain
        )

    def _retain(self):
        if not self.free:
            raise OutOfMemory("cuDevicePrimaryCtxRetain failed: out of memory")
        self.held += 1
        return SimpleNamespace(push=lambda: self.current.append("context"), detach=self._detach)

    def _detach(self):
        assert self.current, "not in the thread that retained it, and not current"
        # As CUDA has it: the stack is left alone.
        self.held -= 1

    def mem_alloc(self, size):
        return Memory(self, size)

    def pagelocked_empty(self, shape, dtype, mem_flags):
        array = np.empty(shape, dtype).view(Pinned)
        array.base = Memory(self, 0, mem_flags)
        return array


@pytest.fixture
def cuda(monkeypatch) -> Cuda:
    """In the place of pycuda and of the driver."""
    cuda = Cuda()
    monkeypatch.setitem(sys.modules, "pycuda", SimpleNamespace(driver=cuda))
    monkeypatch.setitem(sys.modules, "pycuda.driver", cuda)
    driver = SimpleNamespace(cuCtxPopCurrent_v2=lambda pointer: cuda.current.pop())
    monkeypatch.setattr("runtime.backends.cuda.ctypes.CDLL", lambda name: driver)
    return cuda


def test_a_device_that_was_closed_leaves_no_context_behind(cuda, tmp_path):
    for _ in range(2):
        device = Device(tmp_path)
        with device.active(), device.active():
            assert len(cuda.current) == 2
        with ThreadPoolExecutor(1) as another_thread:
            another_thread.submit(device.close).result()
        assert (cuda.current, cuda.held) == ([], 0)


@pytest.mark.parametrize("integrated", [False, True])
def test_memory_lies_on_both_sides_or_is_shared(cuda, tmp_path, integrated):
    cuda.integrated = integrated
    device = Device(tmp_path)
    assert device.mapped == integrated
    buffer = device.buffer((2, 3), UINT8)
    assert buffer.host.shape == (2, 3)
    assert [memory.flags for memory in cuda.alive] == ([DEVICEMAP] if integrated else [0, 0])
    assert buffer.address == int(cuda.alive[-1])
    buffer.free()
    assert cuda.alive == []


def test_too_little_memory_takes_one_line_and_leaves_none_behind(cuda, tmp_path):
    cuda.free = 5
    with pytest.raises(InputError, match=r"x\.engine: not enough GPU memory"):
        Device(tmp_path / "x.engine").buffer((2, 3), UINT8)
    assert cuda.alive == []


def test_too_little_memory_for_a_context(cuda, tmp_path):
    cuda.free = 0
    with pytest.raises(InputError, match=r"x\.engine: not enough GPU memory"):
        Device(tmp_path / "x.engine")
    assert (cuda.current, cuda.held) == ([], 0)


def test_without_a_driver(cuda, tmp_path, monkeypatch):
    def fail():
        raise Error("cuInit failed: no CUDA-capable device is detected")

    monkeypatch.setattr(cuda, "init", fail)
    with pytest.raises(InputError, match=r"x\.engine: needs an NVIDIA GPU and its driver \(cuInit failed"):
        Device(tmp_path / "x.engine")


def test_without_pycuda(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(InputError, match=r"x\.engine: running it needs pycuda .*pip install 'panoedge\[jetson\]'"):
        Device(tmp_path / "x.engine")
