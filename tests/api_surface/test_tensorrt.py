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


def look(module: str, wanted: set[str], path: Path | None = None) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
    command = [sys.executable, "-c", _LOOK, module, *sorted(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def test_tensorrt_has_every_name(bindings):
    version, folder = bindings
    found = look("tensorrt_bindings", names.used_names() - names.RTX_ONLY, folder)
    # The number of this flag changed: code that knows it by number builds something else in 11.
    assert found == {"version": version, "flag": 0 if version.startswith("11") else 1, "absent": []}


def test_a_name_that_was_removed_is_noticed(bindings):
    version, folder = bindings
    found = look("tensorrt_bindings", {"BuilderFlag.FP16", "Builder.create_network"}, folder)
    assert found["absent"] == (["BuilderFlag.FP16"] if version.startswith("11") else [])


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
