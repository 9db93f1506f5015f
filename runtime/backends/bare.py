"""Any ONNX file or engine as a call that only computes, whatever it takes and answers: so single layers are timed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

from perception.engine_file import read_record
from runtime.backends import Provider
from runtime.backends.onnxruntime import ON_CPU, element_type, import_library, open_session
from runtime.backends.tensorrt import TensorRT
from runtime.timing import Lap, stopwatch


@contextmanager
def open_bare(path: Path, provider: Provider = "auto", threads: int = 0) -> Iterator[Callable[[], Lap]]:
    """A call that computes once on an input of ones, inputs and outputs on the device, and measures itself.

    On a CPU with one thread, the library computes in the thread that calls, and that thread's own time is measured:
    what other programs took in between is not counted.

    Args:
        path: ``.onnx`` file with one input, or ``.engine``.
        provider, threads: as in :func:`runtime.backends.open_backend`.

    Raises:
        InputError: the file is not runnable here.
    """
    if path.suffix == ".engine":
        source = read_record(path).tensors[0]  # inputs come first
        with _BareEngine(path) as engine:
            yield stopwatch(engine.bound(np.ones(source.shape, source.type)))
    else:
        yield _bare_session(path, provider, threads)


class _BareEngine(TensorRT):
    """An engine that need not answer what a network does."""

    def _check_signature(self) -> int:
        return 1


def _bare_session(path: Path, provider: Provider, threads: int) -> Callable[[], Lap]:
    library = import_library(path)
    session = open_session(library, path, provider, threads)
    on_host = session.get_providers()[0] == ON_CPU
    device = "cpu" if on_host else "cuda"
    source = session.get_inputs()[0]
    ones = np.ones(source.shape, element_type(source.type))
    binding = session.io_binding()
    binding.bind_ortvalue_input(source.name, library.OrtValue.ortvalue_from_numpy(ones, device, 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, device)

    def compute() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return stopwatch(compute, thread_time if on_host and threads == 1 else perf_counter)
