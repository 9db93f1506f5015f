"""A stream's work captured once and launched as a whole, which saves the launch of hundreds of kernels one by one.

pycuda does not offer this, so the driver is called directly; names and numbers are those of CUDA's driver API,
https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__GRAPH.html.
"""

import ctypes
from collections.abc import Callable

from perception.gpu import DRIVER

# CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile does not spoil it.
_THREAD_LOCAL = 1


class Graph:
    """Captured work.

    Args:
        cuda: the driver.
        stream: handle of the stream it was captured from and runs in.
        executable: ``CUgraphExec``.
    """

    def __init__(self, cuda: ctypes.CDLL, stream: int, executable: ctypes.c_void_p):
        self._cuda = cuda
        self._stream = ctypes.c_void_p(stream)
        self._executable = executable

    def launch(self) -> None:
        """Put all of it into the stream."""
        error = self._cuda.cuGraphLaunch(self._executable, self._stream)
        if error:
            raise RuntimeError(f"cuGraphLaunch: CUDA error {error}")

    def close(self) -> None:
        """Release it; once."""
        self._cuda.cuGraphExecDestroy(self._executable)


def capture(stream: int, enqueue: Callable[[], None], driver: str = DRIVER) -> Graph | None:
    """Capture what ``enqueue`` puts into ``stream``.

    Args:
        stream: handle.
        enqueue: puts work into the stream and does not wait for it; may raise RuntimeError where that fails.
        driver: CUDA's library.

    Returns:
        None where the work cannot be captured; the stream is as before.
    """
    cuda = ctypes.CDLL(driver)
    handle, graph, executable = ctypes.c_void_p(stream), ctypes.c_void_p(), ctypes.c_void_p()
    if cuda.cuStreamBeginCapture_v2(handle, _THREAD_LOCAL):
        return None
    enqueued = True
    try:
        enqueue()
    except RuntimeError:
        enqueued = False
    # In any case, or the stream stays unusable.
    if cuda.cuStreamEndCapture(handle, ctypes.byref(graph)) or not graph:
        return None
    error = cuda.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
    cuda.cuGraphDestroy(graph)
    if error:
        return None
    if not enqueued:
        cuda.cuGraphExecDestroy(executable)
        return None
    return Graph(cuda, stream, executable)
