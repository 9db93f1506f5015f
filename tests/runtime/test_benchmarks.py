"""The benchmarks of what this room costs run to their end, and their exit status says whether a limit was missed."""

import importlib
import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import cv2
import pytest

from runtime.timing import Effort

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
QUICK = Effort(seconds=0.01, count=2, warm_up=0.1, slices=1)
# For each script its arguments, what is measured for a shorter time, and which limits anything holds, and nothing.
SCRIPTS = {
    "frame": (["NETWORK", "--pairs", "3"], {"WARM_UP": 1}, "LIMIT", (0, inf)),
    "frame_path": ([], {"EFFORT": QUICK}, "SLOWEST_PRE", (inf, 0)),
    "sampler": (["--seconds", "0.1", "--times", "1"], {}, "LIMIT", (inf, -1)),
    "stream": ([], {"EFFORT": replace(QUICK, count=1)}, "LIMIT", (0, inf)),
}


@pytest.fixture
def script(monkeypatch):
    """Loads a script, which may set OpenCV's threads and imports its neighbours."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    threads, known = cv2.getNumThreads(), set(sys.modules)
    yield importlib.import_module
    cv2.setNumThreads(threads)
    for name in {path.stem for path in BENCHMARKS.glob("*.py")} & (set(sys.modules) - known):
        del sys.modules[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_status(script, network, monkeypatch, capsys, name):
    arguments, shorter, limit, values = SCRIPTS[name]
    module = script(name)
    monkeypatch.setattr(sys, "argv", [name, *(text.replace("NETWORK", str(network)) for text in arguments)])
    if name == "frame_path":
        networks = {label: (spec, candidates, inf) for label, (spec, candidates, _) in module.NETWORKS.items()}
        monkeypatch.setattr(module, "NETWORKS", networks)
    for attribute, value in shorter.items():
        monkeypatch.setattr(module, attribute, value)
    for status, value in enumerate(values):
        monkeypatch.setattr(module, limit, value)
        assert module.main() == status
    assert capsys.readouterr().out
