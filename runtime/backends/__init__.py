"""Exported networks behind one interface, whichever library runs them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np

from perception.errors import InputError
from perception.spec import Deployed
from perception.tasks import Outputs

Provider = Literal["auto", "cpu", "cuda", "tensorrt"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)


@dataclass(frozen=True)
class Split:
    """Where one inference spent its milliseconds.

    Attributes:
        copy_in: host to device; None where the library does not copy or cannot tell it apart.
        compute: the network itself, with whatever could not be told apart from it.
        copy_out: device to host; None as above.
    """

    copy_in: float | None
    compute: float
    copy_out: float | None


@dataclass(frozen=True)
class DeviceMemory:
    """What a network takes of a device's memory.

    Attributes:
        loaded: bytes that were free before it was opened and are not any more; CUDA's own needs are not among them.
        activations: bytes of ``loaded`` that hold values between layers, once an inference at a time.
        shared: whether host and device have one memory, so that others' doings are in ``loaded`` too.
    """

    loaded: int
    activations: int
    shared: bool


@dataclass(frozen=True)
class TimedLayer:
    """One layer of what a library made of a network.

    Attributes:
        name: as the library calls it.
        says: what else it says that may hold names of the file's nodes and values, the closest to the layer first.
        ms: milliseconds, one inference after the other.
    """

    name: str
    says: tuple[str, ...]
    ms: list[float]


class Model(Protocol):
    """A network, opened and ready to be measured.

    A batch is uint8 ``[batch, H, W, 3]`` RGB in ``info.spec.size``. Only one thread at a time may use a model.
    The arrays of an answer belong to the caller: the next inference does not touch them.

    Attributes:
        path: the file.
        kind: ``checkpoint``, ``onnx`` or ``engine``, as in reports.
        info: what the file says of itself.
        batch: how many pictures one inference takes.
    """

    path: Path
    kind: str
    info: Deployed
    batch: int

    def infer(self, images: np.ndarray) -> Outputs:
        """Answer for a batch."""

    def close(self) -> None:
        """Free the device; the model cannot be used afterwards."""

    def __enter__(self) -> "Model": ...

    def __exit__(self, *_) -> None: ...


class Backend(Model, Protocol):
    """An exported network, whose inferences can also be started ahead and timed."""

    def submit(self, images: np.ndarray) -> Callable[[], Outputs]:
        """Take a batch, which may be written again afterwards, and return what waits for its answer.

        A library that computes beside the host only starts here, so that batches overlap. The answer may be asked for
        in another thread, or never.
        """

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Answer for a batch and say where the time went."""

    def bound(self, images: np.ndarray) -> Callable[[], None]:
        """A call that only computes: the batch is on the device already and the outputs stay there."""

    def layers(self, images: np.ndarray, count: int) -> list[TimedLayer]:
        """Answer ``count`` times with the library's own profiler at work; its layers in order of computation."""

    def memory(self) -> DeviceMemory | None:
        """What it takes of the device's memory; None where the library does not tell, or there is no device."""

    def describe(self) -> dict[str, str | int]:
        """Library, version and device, flat, for reports."""

    def __enter__(self) -> "Backend": ...


def open_backend(path: Path, provider: Provider = "auto", threads: int = 0) -> Backend:
    """Open an exported network by its suffix.

    Args:
        path: ``.onnx`` or ``.engine`` file.
        provider: where ONNX Runtime computes; ``auto`` takes CUDA where it works, else the CPU. An engine runs in
            TensorRT only.
        threads: CPU threads for one operator; 0 leaves it to the library.

    Raises:
        InputError: the file is absent, not runnable here, or not written by this project.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == ".onnx":
        from runtime.backends.onnxruntime import OnnxRuntime

        return OnnxRuntime(path, provider, threads)
    if path.suffix == ".engine":
        from runtime.backends.tensorrt import TensorRT

        if provider not in ("auto", "tensorrt"):
            raise InputError(f"{path}: --provider {provider}: an engine runs in TensorRT, on the GPU, only")
        return TensorRT(path)
    raise InputError(f"{path}: not an exported network (.onnx, .engine); write one with: panoedge export onnx")
