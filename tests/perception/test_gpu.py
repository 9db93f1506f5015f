import shutil
import subprocess

import pytest

from perception.gpu import Gpu, find_gpu, pci_address

# A driver with one board on it, and the calls that fail where %s says so.
_DRIVER = r"""
#include <string.h>
int cuInit(unsigned flags) { return %(init)d; }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return %(get)d; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Orin", length); return device != 7; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : attribute == 16 ? 4 : -1;
    return %(attribute)d;
}
int cuDeviceGetPCIBusId(char *address, int length, int device) {
    strncpy(address, "0000:65:00.0", length);
    return device != 7;
}
"""


@pytest.fixture
def driver(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")

    def build(init=0, get=0, attribute=0) -> str:
        source, library = tmp_path / "driver.c", tmp_path / f"driver{init}{get}{attribute}.so"
        source.write_text(_DRIVER % {"init": init, "get": get, "attribute": attribute})
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        return str(library)

    return build


def test_the_gpu_of_a_driver(driver):
    found = find_gpu(driver())
    assert found == Gpu("Orin", "8.7", 4)
    assert str(found) == "Orin (compute capability 8.7, 4 multiprocessors)"
    assert pci_address(driver()) == "0000:65:00.0"


@pytest.mark.parametrize("failing", ["init", "get", "attribute"])
def test_a_driver_without_a_gpu(driver, failing):
    assert find_gpu(driver(**{failing: 100})) is None


def test_no_driver(tmp_path):
    assert find_gpu(str(tmp_path / "libcuda.so.1")) is None
    assert pci_address(str(tmp_path / "libcuda.so.1")) == ""
