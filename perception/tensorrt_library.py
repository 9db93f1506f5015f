"""TensorRT or TensorRT-RTX as a module, and what each has to say when something fails.

Both have the same classes. Neither is imported before it is asked for: a board has its own, most machines none.
"""

import importlib
import platform
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from perception.engine_file import Library
from perception.errors import InputError

_MODULES: dict[Library, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
# Only boards have it; see https://docs.nvidia.com/jetson.
_JETSON = Path("/etc/nv_tegra_release")
# What TensorRT says, in lower case, and what it means to a user; {} is the first thing it said. CUDA's error 35 also
# stands for "no driver at all".
_CAUSES = (
    (
        ("cudaerror 35", "error: 35", "error 35", "driver version is insufficient"),
        "no NVIDIA driver here, or one too old",
    ),
    (("cudaerror 100", "error: 100", "error 100", "no cuda-capable device"), "no NVIDIA GPU here"),
    (
        ("out of memory", "outofmemory", "insufficient memory", "insufficient device memory"),
        "not enough GPU memory; close other programs, or build with a smaller --workspace",
    ),
    (
        ("could not find any implementation",),
        "{}; that is often too little memory: close other programs, or change --workspace",
    ),
)


def load(library: Library, path: Path, jetson: Path = _JETSON) -> ModuleType:
    """Import ``library``.

    Args:
        library: which.
        path: the file it is needed for, for the error.
        jetson: exists on a Jetson only.

    Raises:
        InputError: it is not installed; the message says how to get it on this kind of machine.
    """
    try:
        return importlib.import_module(_MODULES[library])
    except ImportError as error:
        raise InputError(
            f"{path}: needs {library}, which cannot be imported ({error}); {_cure(library, jetson)}"
        ) from None


def _cure(library: Library, jetson: Path) -> str:
    if library == "tensorrt-rtx":
        return "pip install tensorrt-rtx-cu12"
    if jetson.exists():
        return (
            "on a Jetson it comes with JetPack, never from pip: sudo apt install python3-libnvinfer, "
            "and make the virtual environment with --system-site-packages"
        )
    if platform.machine() == "x86_64":
        return "pip install 'panoedge[gpu]'"
    return "install NVIDIA's package for this system"


class Journal:
    """Hears what TensorRT logs and keeps its complaints.

    Attributes:
        logger: a ``trt.ILogger`` to hand to TensorRT.
    """

    def __init__(self, trt: Any):
        errors: list[str] = []
        warnings: list[str] = []
        kept = {
            trt.ILogger.Severity.INTERNAL_ERROR: errors,
            trt.ILogger.Severity.ERROR: errors,
            trt.ILogger.Severity.WARNING: warnings,
        }

        class Logger(trt.ILogger):
            def __init__(self):
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in kept:
                    kept[severity].append(" ".join(message.split()))

        self.logger = Logger()
        self._trt = trt
        self._errors, self._warnings = errors, warnings

    def start(self, kind: Callable[[Any], Any], path: Path) -> Any:
        """A ``trt.Builder`` or a ``trt.Runtime`` that logs here.

        Args:
            kind: the class.
            path: the file it is needed for, for the error.

        Raises:
            InputError: TensorRT does not start, for want of a driver that is new enough for instance.
        """
        # Operators that the parser imports as plugins, such as DeformConv, are known only after this.
        if register := getattr(self._trt, "init_libnvinfer_plugins", None):
            register(self.logger, "")
        try:
            return kind(self.logger)
        except TypeError:  # what its bindings make of a null pointer
            library = f"{self._trt.__name__} {self._trt.__version__}"
            raise InputError(f"{path}: {library} does not start: {self.cause()}") from None

    def cause(self) -> str:
        """Why a call failed: in a user's words where the cause is known, else in TensorRT's own."""
        # A missing driver is no more than a warning to it; warnings of a build that got further explain nothing.
        said = self._errors or self._warnings
        if not said:
            return "it gave no reason"
        together = "\n".join(said).lower()
        for signs, meaning in _CAUSES:
            if any(sign in together for sign in signs):
                return meaning.format(said[0])
        # The first complaint names the fault, later ones only who passed it on.
        return said[0]
