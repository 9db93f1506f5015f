"""Everything that calls pycuda: the GPU, its memory, streams and events.

TensorRT works in the GPU's primary context, so that is the one retained here. A context belongs to the thread that made
it current; every use is therefore inside :meth:`Device.active`, from whichever thread.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from perception.errors import InputError
from perception.gpu import DRIVER
from runtime.backends.cuda_graph import Graph, capture

# Have ``handle``, ``synchronize()`` and ``wait_for_event(event)``; ``record(stream)`` and ``synchronize()``.
Stream = Any
Event = Any


class Device:
    """The first GPU that CUDA shows to this process.

    Attributes:
        mapped: whether buffers lie in memory that host and GPU share, as on boards with an integrated GPU; nothing is
            copied between the two then.
    """

    def __init__(self, path: Path):
        self._path = path
        self._cuda = _import(path)
        attribute = self._cuda.device_attribute
        try:
            self._cuda.init()
            device = self._cuda.Device(0)
            self.mapped = all(
                device.get_attribute(which) for which in (attribute.INTEGRATED, attribute.CAN_MAP_HOST_MEMORY)
            )
            # A context alone takes some hundred megabytes.
            self._context = device.retain_primary_context()
        except self._cuda.MemoryError:
            raise self._too_little_memory() from None
        except self._cuda.Error as error:
            raise InputError(f"{path}: needs an NVIDIA GPU and its driver ({error})") from None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the GPU's context the current one of this thread."""
        self._context.push()
        try:
            yield
        finally:
            self._cuda.Context.pop()

    def free_memory(self) -> int:
        """Bytes of the GPU's memory that nobody holds now."""
        free, _ = self._cuda.mem_get_info()
        return free

    def stream(self) -> Stream:
        """A queue of work that is done in order."""
        return self._cuda.Stream()

    def event(self) -> Event:
        """A mark in a stream that other streams and the host can wait for."""
        return self._cuda.Event(self._cuda.event_flags.DISABLE_TIMING)

    def buffer(self, shape: tuple[int, ...], dtype: np.dtype) -> "Buffer":
        """Memory for one tensor on host and GPU; raises :class:`InputError` where there is not enough."""
        try:
            return Buffer(self._cuda, shape, dtype, self.mapped)
        except self._cuda.MemoryError:
            raise self._too_little_memory() from None

    def graph(self, stream: Stream, enqueue: Callable[[], None]) -> Graph | None:
        """What ``enqueue`` puts into ``stream``, to be launched as a whole; None where that cannot be captured."""
        return capture(stream.handle, enqueue)

    def close(self) -> None:
        """Let go of the context; no buffer, stream or event may be left."""
        # pycuda lets go of a context in any thread where it is current, else only in the thread that retained it.
        self._context.push()
        self._context.detach()
        # To pycuda it is no longer current then; the driver leaves it so until it is told.
        ctypes.CDLL(DRIVER).cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))

    def _too_little_memory(self) -> InputError:
        return InputError(f"{self._path}: not enough GPU memory; close other programs")


class Buffer:
    """One tensor in page-locked host memory and on the GPU, which may be the same place.

    Attributes:
        host: what the host writes or reads.
        address: on the GPU.
    """

    def __init__(self, cuda: ModuleType, shape: tuple[int, ...], dtype: np.dtype, mapped: bool):
        self._cuda = cuda
        flags = cuda.host_alloc_flags.DEVICEMAP if mapped else 0
        self.host: np.ndarray = cuda.pagelocked_empty(shape, dtype, mem_flags=flags)
        self._pinned: Any = self.host.base
        self._memory: Any = None
        if mapped:
            self.address = int(self._pinned.get_device_pointer())
        else:
            try:
                self._memory = cuda.mem_alloc(self.host.nbytes)
            except cuda.Error:
                self._pinned.free()
                raise
            self.address = int(self._memory)

    def upload(self, stream: Stream) -> None:
        """Host to GPU, in its turn."""
        if self._memory is not None:
            self._cuda.memcpy_htod_async(self._memory, self.host, stream)

    def download(self, stream: Stream) -> None:
        """GPU to host, in its turn."""
        if self._memory is not None:
            self._cuda.memcpy_dtoh_async(self.host, self._memory, stream)

    def free(self) -> None:
        """Give both memories back; ``host`` must not be touched any more."""
        if self._memory is not None:
            self._memory.free()
        self._pinned.free()


def _import(path: Path) -> ModuleType:
    try:
        import pycuda.driver
    except ImportError as error:
        raise InputError(f"{path}: running it needs pycuda ({error}); pip install 'panoedge[jetson]'") from None
    return pycuda.driver
