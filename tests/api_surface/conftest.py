"""TensorRT's real Python bindings of several versions: small wheels, here with libraries of empty functions.

The bindings look for a dozen functions in TensorRT's libraries when they are imported, and call them only when an
object is made. So the names of all classes, methods and enumerations can be looked at with libraries in which those
functions do nothing.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "panoedge" / "tensorrt-bindings"
# JetPack 6.2's, one of the 10.x line on x86 with CUDA 12, JetPack 7.2's, and one that has weak typing removed.
BINDINGS = {
    "10.3.0": "tensorrt-cu12-bindings",
    "10.13.3.9": "tensorrt-cu12-bindings",
    "10.16.1.11": "tensorrt-cu13-bindings",
    "11.4.0.106": "tensorrt-cu13-bindings",
}
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)


@pytest.fixture(scope="session", params=BINDINGS)
def bindings(request, tmp_path_factory) -> tuple[str, Path]:
    """Version, and the folder from which ``tensorrt_bindings`` can be imported, in a process of its own."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    version = request.param
    folder = tmp_path_factory.mktemp("bindings")
    with zipfile.ZipFile(fetch(version)) as wheel:
        wheel.extractall(folder)
    source = folder / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _FUNCTIONS))
    for library in _LIBRARIES:
        name = f"lib{library}.so.{version.partition('.')[0]}"
        out = folder / "tensorrt_bindings" / name
        subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", out, source], check=True)
    return version, folder


def fetch(version: str) -> Path:
    """The wheel of a version for this Python, from the cache or the package index; skips where neither has it."""
    package = BINDINGS[version]
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    pattern = f"{package.replace('-', '_')}-{version}-{tag}-*.whl"
    if not list(CACHE.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", str(CACHE), f"{package}=={version}"], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{package} {version} for this Python is not cached and cannot be fetched")
    return next(CACHE.glob(pattern))
