"""Every name of TensorRT that the code uses exists in each version that users have; nothing is run."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Beside this file; tests are no package.
_SPEC = importlib.util.spec_from_file_location("names", Path(__file__).with_name("names.py"))
names = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(names)

# Looks each name up and answers with those that are not there, and with the number behind the one flag that moved.
_LOOK = """
import functools, importlib, json, sys
trt = importlib.import_module(sys.argv[1])
def has(name):
    try:
        functools.reduce(getattr, name.split("."), trt)
    except AttributeError:
        return False
    return True
flag = int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
print(json.dumps({"version": trt.__version__, "flag": flag, "absent": [n for n in sys.argv[2:] if not has(n)]}))
"""


# Types of an engine's tensors as NumPy calls them, and what starting the library comes to: its functions give null
# here, as the real ones do without a driver.
_START = """
import json
from pathlib import Path
import tensorrt_bindings as trt
from perception.errors import InputError
from perception.tensorrt_library import Journal

def refusal(kind):
    try:
        Journal(trt).start(kind, Path("a.file"))
    except InputError as error:
        return str(error)

types = [trt.nptype(kind).__name__ for kind in (trt.uint8, trt.float32)]
print(json.dumps({"types": types, "refusals": [refusal(trt.Builder), refusal(trt.Runtime)]}))
"""


def run(code: str, *arguments: str, path: Path | None = None) -> dict:
    """What ``code`` prints as JSON, in a process that finds modules in the folder ``path`` too."""
    environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{names.ROOT}"} if path else None
    command = [sys.executable, "-c", code, *arguments]
    return json.loads(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)


def look(module: str, wanted: set[str], path: Path | None = None) -> dict:
    return run(_LOOK, module, *sorted(wanted), path=path)


def test_tensorrt_has_every_name(bindings):
    version, folder = bindings
    found = look("tensorrt_bindings", names.used_names() - names.RTX_ONLY, folder)
    # The number of this flag changed: code that knows it by number builds something else in 11.
    assert found == {"version": version, "flag": 0 if version.startswith("11") else 1, "absent": []}


def test_a_name_that_was_removed_is_noticed(bindings):
    version, folder = bindings
    found = look("tensorrt_bindings", {"BuilderFlag.FP16", "Builder.create_network"}, folder)
    assert found["absent"] == (["BuilderFlag.FP16"] if version.startswith("11") else [])


def test_types_have_names_and_a_library_that_does_not_start_is_one_line(bindings):
    version, folder = bindings
    refusal = f"a.file: tensorrt_bindings {version} does not start: it gave no reason"
    assert run(_START, path=folder) == {"types": ["uint8", "float32"], "refusals": [refusal, refusal]}


def test_tensorrt_rtx_has_every_name():
    pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    assert look("tensorrt_rtx", names.used_names())["absent"] == []


def test_the_names_are_those_that_the_code_uses():
    source = """
import tensorrt as other
def f(trt, builder):
    network = builder.create_network(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    self._context.execute_async_v3(self._compute.handle)
    trt.Kind.__members__.items()
    class Monitor(trt.IProgressMonitor):
        def phase_start(self): ...
"""
    assert set(names.names_in(source)) == {
        "Builder.create_network",
        "NetworkDefinitionCreationFlag",
        "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
        "IExecutionContext.execute_async_v3",
        "Kind",
        "IProgressMonitor",
        "IProgressMonitor.phase_start",
    }


def test_no_other_file_calls_tensorrt():
    calling = {
        str(file.relative_to(names.ROOT))
        for room in ("compress", "export", "panoedge", "perception", "runtime")
        for file in (names.ROOT / room).rglob("*.py")
        if re.search(rf"\b_?{names.MODULE}\b", file.read_text(encoding="utf-8"))
    }
    assert calling == set(names.FILES)
