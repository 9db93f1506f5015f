"""Run an ONNX file with ONNX Runtime, on the CPU or through its CUDA and TensorRT providers."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from perception.errors import InputError
from perception.files import read_json
from perception.onnx_metadata import parse_deployed
from perception.onnx_weights import check_self_contained
from perception.spec import ONNX_METADATA_KEY, Deployed
from perception.tasks import Outputs, output_names
from runtime.backends import Provider, Split, TimedLayer
from runtime.backends.onnxruntime_events import timed_layers
from runtime.backends.signature import INPUT, check_signature
from runtime.onnx_graph import read_graph

ON_CPU = "CPUExecutionProvider"
# What is tried, in this order; ONNX Runtime hands operators that one cannot take to the next.
_PROVIDERS: dict[Provider, tuple[str, ...]] = {
    "auto": ("CUDAExecutionProvider", ON_CPU),
    "cpu": (ON_CPU,),
    "cuda": ("CUDAExecutionProvider", ON_CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", ON_CPU),
}
# ONNX's names of element types, where NumPy has another.
_TYPES = {"float": "float32", "double": "float64"}


class OnnxRuntime:
    """See :class:`runtime.backends.Backend`."""

    kind = "onnx"

    def __init__(self, path: Path, provider: Provider = "auto", threads: int = 0):
        self.path = path
        self._library = import_library(path)
        self._session = open_session(self._library, path, provider, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.info = parse_deployed(path, metadata.get(ONNX_METADATA_KEY))
        self.batch = _check_signature(path, self._session, self.info)
        self.provider: str = self._session.get_providers()[0]
        self._shape = (self.batch, *self.info.spec.size, 3)
        on_host = self.provider == ON_CPU
        self._device = None if on_host else self._binding("cuda")

    def infer(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 ``[batch, H, W, 3]``."""
        return self.timed(images)[0]

    def submit(self, images: np.ndarray) -> Callable[[], Outputs]:
        """Answer at once: the library computes in this thread."""
        outputs = self.infer(images)
        return lambda: outputs

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Answer and say where the time went; on the CPU nothing is copied."""
        if images.shape != self._shape or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 {self._shape}, got {images.dtype} {images.shape}")
        if self._device is not None:
            return self._device.timed(images)
        start = perf_counter()
        tasks = self.info.spec.tasks
        outputs = self._session.run(output_names(tasks), {INPUT: images})
        return Outputs.of(tasks, outputs), Split(None, _milliseconds(start, perf_counter()), None)

    def bound(self, images: np.ndarray) -> Callable[[], None]:
        """A call that only computes, outputs left where they are."""
        binding = self._device or self._binding("cpu")
        binding.copy_in(images)
        return binding.compute

    def layers(self, images: np.ndarray, count: int) -> list[TimedLayer]:
        """Time the layers of the graph that the library makes of the file, in a session of its own."""
        options = _options(self._library, self._session.get_session_options().intra_op_num_threads)
        # It warns that the graph which it writes suits this machine only.
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / "optimised.onnx"
            options.enable_profiling = True
            options.profile_file_prefix = str(graph.with_suffix(""))
            options.optimized_model_filepath = str(graph)
            session = self._library.InferenceSession(str(self.path), options, providers=self._session.get_providers())
            for _ in range(count):
                session.run(None, {INPUT: images})
            events = read_json(Path(session.end_profiling()))
            return timed_layers(events, read_graph(graph))

    def memory(self) -> None:
        """The library does not tell."""

    def describe(self) -> dict[str, str | int]:
        """Version, execution provider and the providers this build of the library has."""
        return {
            "onnxruntime": self._library.__version__,
            "provider": self.provider,
            "providers": ", ".join(self._library.get_available_providers()),
            "threads": self._session.get_session_options().intra_op_num_threads or "automatic",
        }

    def close(self) -> None:
        """Drop the session, and with it the device memory."""
        self._device = self._session = None

    def _binding(self, device: str) -> "DeviceBinding":
        return DeviceBinding(self._library, self._session, self._shape, self.info.spec.tasks, device)

    def __enter__(self) -> "OnnxRuntime":
        return self

    def __exit__(self, *_) -> None:
        self.close()


class DeviceBinding:
    """Input and outputs kept in device memory from one inference to the next.

    Args:
        library: the onnxruntime module.
        session: an inference session.
        shape: of the input batch.
        tasks: that the network answers for.
        device: ``cuda``, or ``cpu`` where only :meth:`compute` is wanted without allocations.
    """

    def __init__(self, library: ModuleType, session: Any, shape: tuple[int, ...], tasks: tuple[str, ...], device: str):
        self._session = session
        self._tasks = tasks
        self._input = library.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT, self._input)
        for name in output_names(tasks):
            # The first run allocates; later runs write into the same memory.
            self._binding.bind_output(name, device)

    def copy_in(self, images: np.ndarray) -> None:
        """Host to device."""
        self._input.update_inplace(np.ascontiguousarray(images))

    def compute(self) -> None:
        """Run and wait until the device is done."""
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Copy in, compute, copy out."""
        start = perf_counter()
        self.copy_in(images)
        copied = perf_counter()
        self.compute()
        computed = perf_counter()
        outputs = Outputs.of(self._tasks, self._binding.copy_outputs_to_cpu())
        done = perf_counter()
        return outputs, Split(
            _milliseconds(start, copied), _milliseconds(copied, computed), _milliseconds(computed, done)
        )


def _milliseconds(start: float, end: float) -> float:
    return (end - start) * 1000


def import_library(path: Path) -> ModuleType:
    """ONNX Runtime, which ``path`` needs; raises InputError where it is absent."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{path}: running it needs onnxruntime ({error}); pip install onnxruntime") from None
    return onnxruntime


def open_session(library: ModuleType, path: Path, provider: Provider, threads: int) -> Any:
    """Open ``path``; a provider that was asked for and is not there is an error, ``auto`` takes what works."""
    available = library.get_available_providers()
    wanted = _PROVIDERS[provider]
    if provider == "auto" and wanted[0] not in available:
        wanted = _PROVIDERS["cpu"]
    if wanted[0] not in available:
        raise InputError(f"--provider {provider}: this onnxruntime has only {', '.join(available)}")
    if len(wanted) > 1 and hasattr(library, "preload_dlls"):
        # Finds CUDA's libraries where pip put them.
        library.preload_dlls()
    check_self_contained(path)
    options = _options(library, threads)
    try:
        session = library.InferenceSession(str(path), options, providers=[name for name in wanted if name in available])
    except Exception as error:  # the library has a dozen unrelated classes for an unusable file
        reason = str(error).strip().partition("\n")[0].rpartition("failed:")[2].strip()
        raise InputError(f"{path}: ONNX Runtime cannot open it ({reason}); export it again") from None
    if provider != "auto" and session.get_providers()[0] != wanted[0]:
        raise InputError(f"--provider {provider}: {wanted[0]} did not start; are its CUDA libraries installed?")
    return session


def _options(library: ModuleType, threads: int) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    return options


def _check_signature(path: Path, session: Any, info: Deployed) -> int:
    """Compare inputs and outputs with what this project writes; returns the batch size."""
    inputs, outputs = (
        {value.name: (element_type(value.type), [_side(side) for side in value.shape]) for value in values}
        for values in (session.get_inputs(), session.get_outputs())
    )
    return check_signature(path, inputs, outputs, info.spec)


def element_type(kind: str) -> str:
    """``tensor(float)`` to ``float32``."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return _TYPES.get(name, name)


def _side(side: Any) -> int | None:
    """Sides that may have any size are named."""
    return side if isinstance(side, int) else None
