"""Run an ONNX file with ONNX Runtime, on the CPU or through its CUDA and TensorRT providers."""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from perception.errors import InputError
from perception.spec import ONNX_METADATA_KEY, Deployed
from perception.tasks import Outputs
from runtime.backends import Provider, Split

_INPUT = "image"
_OUTPUTS = ("boxes", "scores", "drivable", "lane")
# What is tried, in this order; ONNX Runtime hands operators that one cannot take to the next.
_PROVIDERS: dict[Provider, tuple[str, ...]] = {
    "auto": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}


class OnnxRuntime:
    """See :class:`runtime.backends.Backend`."""

    kind = "onnx"

    def __init__(self, path: Path, provider: Provider = "auto", threads: int = 0):
        self.path = path
        self._library = _import(path)
        self._session = _open_session(self._library, path, provider, threads)
        self.info = _read_info(path, self._session)
        self.batch = _check_signature(path, self._session, self.info)
        self.provider: str = self._session.get_providers()[0]
        self._shape = (self.batch, *self.info.spec.size, 3)
        on_host = self.provider == "CPUExecutionProvider"
        self._device = None if on_host else DeviceBinding(self._library, self._session, self._shape, "cuda")

    def infer(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 ``[batch, H, W, 3]``."""
        return self.timed(images)[0]

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Answer and say where the time went; on the CPU nothing is copied."""
        if images.shape != self._shape or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 {self._shape}, got {images.dtype} {images.shape}")
        if self._device is not None:
            return self._device.timed(images)
        start = perf_counter()
        outputs = self._session.run(_OUTPUTS, {_INPUT: images})
        return Outputs(*outputs), Split(None, _milliseconds(start, perf_counter()), None)

    def bound(self, images: np.ndarray) -> Callable[[], None]:
        """A call that only computes, outputs left where they are."""
        binding = self._device or DeviceBinding(self._library, self._session, self._shape, "cpu")
        binding.copy_in(images)
        return binding.compute

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
        device: ``cuda``, or ``cpu`` where only :meth:`compute` is wanted without allocations.
    """

    def __init__(self, library: ModuleType, session: Any, shape: tuple[int, ...], device: str):
        self._session = session
        self._input = library.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(_INPUT, self._input)
        for name in _OUTPUTS:
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
        outputs = Outputs(*self._binding.copy_outputs_to_cpu())
        done = perf_counter()
        return outputs, Split(
            _milliseconds(start, copied), _milliseconds(copied, computed), _milliseconds(computed, done)
        )


def _milliseconds(start: float, end: float) -> float:
    return (end - start) * 1000


def _import(path: Path) -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{path}: running it needs onnxruntime ({error}); pip install onnxruntime") from None
    return onnxruntime


def _open_session(library: ModuleType, path: Path, provider: Provider, threads: int) -> Any:
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
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = library.InferenceSession(str(path), options, providers=[name for name in wanted if name in available])
    except Exception as error:  # the library has a dozen unrelated classes for an unusable file
        reason = str(error).strip().partition("\n")[0].rpartition("failed:")[2].strip()
        raise InputError(f"{path}: ONNX Runtime cannot open it ({reason}); export it again") from None
    if provider != "auto" and session.get_providers()[0] != wanted[0]:
        raise InputError(f"--provider {provider}: {wanted[0]} did not start; are its CUDA libraries installed?")
    return session


def _read_info(path: Path, session: Any) -> Deployed:
    text = session.get_modelmeta().custom_metadata_map.get(ONNX_METADATA_KEY)
    if text is None:
        raise InputError(
            f"{path}: not written by this project (no {ONNX_METADATA_KEY!r} metadata); panoedge export onnx"
        )
    try:
        return Deployed.from_json(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: its {ONNX_METADATA_KEY!r} metadata is malformed ({error!r}); export it again"
        ) from None


def _check_signature(path: Path, session: Any, info: Deployed) -> int:
    """Compare inputs and outputs with what this project writes; returns the batch size."""
    inputs = {value.name: value for value in session.get_inputs()}
    found = {value.name: value for value in (*inputs.values(), *session.get_outputs())}
    if set(inputs) != {_INPUT} or set(found) != {_INPUT, *_OUTPUTS}:
        raise InputError(f"{path}: has {', '.join(found)}; expected {_INPUT} to {', '.join(_OUTPUTS)}; export it again")
    first = found[_INPUT].shape[:1]
    batch = first[0] if first and isinstance(first[0], int) else None
    height, width = info.spec.size
    expected = {
        _INPUT: ("tensor(uint8)", [batch, height, width, 3]),
        "boxes": ("tensor(float)", [batch, None, 4]),
        "scores": ("tensor(float)", [batch, None]),
        "drivable": ("tensor(uint8)", [batch, height, width]),
        "lane": ("tensor(uint8)", [batch, height, width]),
    }
    for name, (kind, shape) in expected.items():
        value = found[name]
        if value.type != kind or not _matches(value.shape, shape):
            wanted = f"{kind} {['*' if side is None else side for side in shape]}"
            raise InputError(f"{path}: {name} is {value.type} {value.shape}, expected {wanted}; export it again")
    return batch or 1


def _matches(shape: list, expected: list) -> bool:
    """Whether sizes agree; None in ``expected`` and names in ``shape`` stand for any size."""
    if len(shape) != len(expected):
        return False
    return all(
        want is None or not isinstance(side, int) or side == want for side, want in zip(shape, expected, strict=True)
    )
