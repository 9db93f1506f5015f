import sys
from enum import Enum
from types import SimpleNamespace

import pytest

from perception import tensorrt_library
from perception.errors import InputError
from perception.tensorrt_library import Journal, load


class Severity(Enum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3


TRT = SimpleNamespace(ILogger=type("ILogger", (), {"Severity": Severity}), __name__="tensorrt", __version__="10.3.0")


@pytest.mark.parametrize(
    ("machine", "on_board", "cure"),
    [
        ("aarch64", True, "comes with JetPack, never from pip"),
        ("x86_64", False, r"pip install 'panoedge\[gpu\]'"),
        ("aarch64", False, "NVIDIA's package"),
    ],
)
def test_how_to_get_tensorrt(tmp_path, monkeypatch, machine, on_board, cure):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr(tensorrt_library.platform, "machine", lambda: machine)
    release = tmp_path / "nv_tegra_release"
    if on_board:
        release.touch()
    with pytest.raises(InputError, match=cure) as refused:
        load("tensorrt", tmp_path / "x.onnx", release)
    assert ("pip install" in str(refused.value)) == (machine == "x86_64")


def test_how_to_get_tensorrt_rtx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(InputError, match="pip install tensorrt-rtx-cu12"):
        load("tensorrt-rtx", tmp_path / "x.onnx")


def test_loads_the_module(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", TRT)
    assert load("tensorrt", tmp_path) is TRT


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ([], "it gave no reason"),
        ([("INFO", "all is well")], "it gave no reason"),
        ([("WARNING", "CUDA initialization failure with error: 35. Please check")], "no NVIDIA driver here"),
        ([("INTERNAL_ERROR", "In f (cudaError 100: no CUDA-capable device is detected)")], "no NVIDIA GPU here"),
        ([("ERROR", "Requested size was 5 bytes: Out of memory")], "not enough GPU memory"),
        ([("ERROR", "Error Code 10: Could not find any implementation for node a")], "for node a; that is often too"),
        ([("WARNING", "skipped for out of memory"), ("ERROR", "first\n  fault"), ("ERROR", "second")], "first fault"),
    ],
)
def test_causes(said, cause):
    journal = Journal(TRT)
    for severity, message in said:
        journal.logger.log(Severity[severity], message)
    assert cause in journal.cause() and "\n" not in journal.cause()


def test_starts_with_its_logger(tmp_path):
    journal = Journal(TRT)
    assert journal.start(lambda logger: ("a builder", logger), tmp_path) == ("a builder", journal.logger)


def test_plugins_are_there_before_anything_starts(tmp_path):
    seen = []
    library = SimpleNamespace(**vars(TRT), init_libnvinfer_plugins=lambda logger, space: seen.append((logger, space)))
    journal = Journal(library)
    assert journal.start(lambda logger: list(seen), tmp_path) == [(journal.logger, "")]


def test_a_library_that_does_not_start_says_why(tmp_path):
    def runtime(logger):
        logger.log(Severity.WARNING, "CUDA initialization failure with error: 35. Please check your CUDA installation")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(InputError, match=r"x\.engine: tensorrt 10\.3\.0 does not start: no NVIDIA driver here"):
        Journal(TRT).start(runtime, tmp_path / "x.engine")
