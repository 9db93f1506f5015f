"""Against a stand-in for the driver's library: what is asked, how answers and refusals are read. Not against a GPU."""

import ctypes
import os
import shutil
import subprocess

import pytest

from runtime.device.nvml import Gpu, open_gpu
from runtime.device.sensors import sensors

REFUSED = 3
# Two cards that draw 1 and 2 W; CUDA may count them the other way round.
NVML = """
#include <string.h>
static int cards[] = {1000, 2000};
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) { *handle = &cards[index]; return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **handle) {
    *handle = &cards[1];
    return strcmp(address, "0000:65:00.0") ? 6 : 0;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) { *milliwatts = *(int *)handle; return 0; }
"""


class Library:
    """Answers as NVML does: a status, and the value through a pointer."""

    def __init__(self, **answers):
        self.answers = {"reasons": 0, "load": 97, **answers}

    def nvmlDeviceGetPowerUsage(self, handle, out):
        return self._answer("milliwatts", out)

    def nvmlDeviceGetTemperature(self, handle, sensor, out):
        assert sensor == 0
        return self._answer("celsius", out)

    def nvmlDeviceGetClockInfo(self, handle, clock, out):
        return self._answer({1: "sm", 2: "memory"}[clock], out)

    def nvmlDeviceGetUtilizationRates(self, handle, out):
        out._obj.gpu = self.answers["load"]
        return 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle, out):
        return self._answer("reasons", out)

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle, count, out):
        processes = self.answers.get("processes", ())
        assert count._obj.value >= len(processes)
        count._obj.value = len(processes)
        for place, (pid, used) in enumerate(processes):
            out[place].pid, out[place].used = pid, used
        return 0

    def _answer(self, name, out):
        if name not in self.answers:
            return REFUSED
        out._obj.value = self.answers[name]
        return 0


def gpu(**answers):
    return Gpu(Library(**answers), ctypes.c_void_p())


def test_sensors_of_a_card(machine):
    processes = [(1, 9_000_000_000), (os.getpid(), 600_000_000)]
    card = gpu(milliwatts=71_500, celsius=64, sm=1410, memory=5001, processes=processes)
    known = {(sensor.kind, sensor.name): sensor.read() for sensor in sensors(machine("nothing").root, card)}
    assert known == {
        ("power", "GPU"): 71.5,
        ("temperature", "GPU"): 64,
        ("clock", "GPU"): 1410,
        ("clock", "GPU memory"): 5001,
        ("load", "GPU"): 0.97,
        ("memory", "GPU, this process"): 600,
    }


def test_what_a_card_does_not_know_is_not_watched(machine):
    known = [sensor.name for sensor in sensors(machine("nothing").root, gpu(sm=1410))]
    assert known == ["GPU", "GPU"]
    assert gpu().watts() is None


@pytest.mark.parametrize("used", [None, 2**64 - 1])
def test_memory_of_a_process_that_is_not_listed_or_not_known(used):
    processes = [(1, 9_000_000_000)] + ([] if used is None else [(os.getpid(), used)])
    card = gpu(processes=processes)
    assert card.own_megabytes() is None
    assert card.strangers() == ([] if used is None else [1])


def test_a_driver_that_lacks_functions():
    card = Gpu(object(), ctypes.c_void_p())
    assert card.own_megabytes() is None and card.strangers() == []
    assert card.watts() is None and card.slowed() == []


@pytest.mark.parametrize(
    ("bits", "reasons"),
    [
        (0x000, []),
        (0x001, []),  # idle
        (0x002, []),  # clocks set by the user
        (0x004, ["GPU power cap"]),
        (0x060, ["GPU software thermal", "GPU hardware thermal"]),
        (0x088, ["GPU hardware slowdown", "GPU power brake"]),
    ],
)
def test_why_a_card_is_slow(bits, reasons):
    assert gpu(reasons=bits).slowed() == reasons
    renamed = type("Renamed", (), {})()
    renamed.nvmlDeviceGetCurrentClocksEventReasons = Library(reasons=bits).nvmlDeviceGetCurrentClocksThrottleReasons
    assert Gpu(renamed, ctypes.c_void_p()).slowed() == reasons


@pytest.mark.parametrize(("address", "watts"), [("0000:65:00.0", 2), ("0000:00:00.0", 1), ("", 1)])
def test_the_card_that_computes_is_watched(tmp_path, address, watts):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "nvml.c").write_text(NVML)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "nvml.so", tmp_path / "nvml.c"], check=True)
    assert open_gpu(str(tmp_path / "nvml.so"), lambda: address).watts() == watts


def test_no_driver(tmp_path):
    assert open_gpu(str(tmp_path / "nvml.so"), lambda: "") is None
