"""Capture against a driver of a few lines of C that writes down what it is asked for."""

import ctypes
import shutil
import subprocess

import pytest

from runtime.backends.cuda_graph import capture

_DRIVER = r"""
#include <string.h>
static char said[999];
static int fails(const char *name) { strcat(said, name); strcat(said, " "); return !strcmp(name, "%s") ? 900 : 0; }
const char *log_of_calls(void) { return said; }
int cuStreamBeginCapture_v2(void *stream, int mode) { return fails(mode == 1 && stream == (void *)5 ? "begin" : "?"); }
int cuStreamEndCapture(void *stream, void **graph) { int bad = fails("end"); *graph = bad ? 0 : (void *)6; return bad; }
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    *executable = (void *)7;
    return fails(graph == (void *)6 && !flags ? "instantiate" : "?");
}
int cuGraphDestroy(void *graph) { return fails(graph == (void *)6 ? "destroy" : "?"); }
int cuGraphLaunch(void *executable, void *stream) {
    return fails(executable == (void *)7 && stream == (void *)5 ? "launch" : "?");
}
int cuGraphExecDestroy(void *executable) { return fails(executable == (void *)7 ? "free" : "?"); }
"""
STREAM = 5


@pytest.fixture
def driver(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")

    def build(failing=""):
        source, library = tmp_path / "driver.c", tmp_path / "driver.so"
        source.write_text(_DRIVER % failing)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        log = ctypes.CDLL(str(library)).log_of_calls
        log.restype = ctypes.c_char_p
        return str(library), lambda: log().decode().split()

    return build


def test_captured_launched_and_freed(driver):
    library, calls = driver()
    enqueued = []
    graph = capture(STREAM, lambda: enqueued.append(calls()), library)
    assert enqueued == [["begin"]]
    graph.launch()
    graph.launch()
    graph.close()
    assert calls() == ["begin", "end", "instantiate", "destroy", "launch", "launch", "free"]


@pytest.mark.parametrize(
    ("failing", "made"),
    [
        ("begin", ["begin"]),
        ("end", ["begin", "end"]),
        ("instantiate", ["begin", "end", "instantiate", "destroy"]),
    ],
)
def test_what_cannot_be_captured(driver, failing, made):
    library, calls = driver(failing)
    assert capture(STREAM, lambda: None, library) is None
    assert calls() == made


def test_the_stream_is_given_back_where_enqueueing_fails(driver):
    library, calls = driver()

    def fail():
        raise RuntimeError

    assert capture(STREAM, fail, library) is None
    assert calls() == ["begin", "end", "instantiate", "destroy", "free"]


def test_a_launch_that_fails(driver):
    library, _ = driver("launch")
    graph = capture(STREAM, lambda: None, library)
    with pytest.raises(RuntimeError, match="CUDA error 900"):
        graph.launch()
