import pytest

from perception.engine_file import read_record
from perception.errors import InputError
from perception.gpu import Gpu
from runtime.backends.engine_fit import check_fits

HERE = Gpu("A GPU of Python", "8.7", 16)
OTHER = Gpu("NVIDIA Thor", "11.0", 20)


def check(path, version="10.3.0", gpu=HERE):
    check_fits(path, read_record(path), version, gpu)


def test_an_engine_of_this_machine(engine_file):
    check(engine_file())
    check(engine_file(gpu=None, compute_capability=None), gpu=OTHER)
    check(engine_file(gpu=None, compute_capability="8.7"), gpu=Gpu("another of its kind", "8.7", 8))
    check(engine_file(multiprocessors=None))
    check(engine_file(multiprocessors=16))


@pytest.mark.parametrize(
    ("changes", "here", "fault"),
    [
        ({}, {"gpu": None}, "needs an NVIDIA GPU"),
        ({}, {"version": "10.16.1"}, "built by tensorrt 10.3.0, here is 10.16.1; build it again here: panoedge export"),
        ({}, {"gpu": OTHER}, r"built for A GPU of Python \(compute capability 8.7\), here is NVIDIA Thor"),
        ({"gpu": None}, {"gpu": OTHER}, r"built for a GPU \(compute capability 8.7\), here is NVIDIA Thor"),
        (
            {"multiprocessors": 8},
            {},
            r"built for A GPU of Python \(compute capability 8.7, 8 multiprocessors\), here is .*8.7, 16 multipr",
        ),
        ({"gpu": "NVIDIA Thor", "compute_capability": None}, {}, "built for NVIDIA Thor, here is A GPU of Python"),
    ],
)
def test_an_engine_of_another_machine(engine_file, changes, here, fault):
    path = engine_file(**changes)
    with pytest.raises(InputError, match=fault) as refused:
        check(path, **here)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_an_engine_with_the_record_of_another(engine_file):
    path = engine_file()
    path.write_bytes(b"another engine")
    with pytest.raises(InputError, match="not the engine that"):
        check(path)


def test_an_engine_older_than_the_network_beside_it(engine_file):
    path = engine_file()
    path.with_name("known.onnx").write_bytes(b"trained on")
    with pytest.raises(InputError, match=r"known\.onnx beside it has changed since"):
        check(path)
