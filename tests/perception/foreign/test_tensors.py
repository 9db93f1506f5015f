import pytest
import torch

from perception.errors import InputError
from perception.foreign.records import Name
from perception.foreign.tensors import Storage, TensorView, rebuild_parameter, rebuild_tensor, storage

TEN = Storage("0", torch.float32, 10)


def identity(kind: str = "FloatStorage", elements: object = 10, module: str = "torch"):
    return ("storage", Name(module, kind), "0", "cuda:0", elements)


def view(size, stride, offset=0) -> TensorView:
    return rebuild_tensor(TEN, offset, size, stride, False, {})


def numbers() -> bytearray:
    return bytearray(torch.arange(10.0).numpy().tobytes())


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((10,), (1,), 0), ((2, 5), (5, 1), 0), ((5, 2), (1, 5), 0), ((3,), (3,), 2), ((), (), 9), ((0, 4), (4, 1), 10)],
)
def test_a_view_is_torchs(size, stride, offset):
    expected = torch.arange(10.0).as_strided(size, stride, min(offset, 9))
    assert torch.equal(view(size, stride, offset).read(numbers()), expected)


def test_a_tensor_owns_its_memory():
    data = numbers()
    tensor = view((10,), (1,)).read(data)
    data[:] = bytes(len(data))
    assert tensor.sum() == 45


def test_nothing_of_nothing():
    empty = rebuild_tensor(Storage("0", torch.int64, 0), 0, (0,), (1,), False, {})
    assert empty.read(bytearray()).shape == (0,)


def test_a_parameter_is_its_tensor():
    tensor = view((2,), (1,))
    assert rebuild_parameter(tensor, True, {}) is tensor
    with pytest.raises(TypeError):
        rebuild_parameter([1.0], True, {})


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((11,), (1,), 0),
        ((10,), (1,), 1),
        ((2, 5), (6, 1), 0),
        ((2,), (1 << 61,), 0),
        ((1,), (1,), 1 << 61),
        ((), (), 10),
    ],
)
def test_beyond_the_storage(size, stride, offset):
    with pytest.raises(InputError, match="beyond its storage of 10"):
        view(size, stride, offset)


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((-1,), (1,), 0),
        ((2,), (-1,), 5),
        ((2,), (1,), -1),
        ((1 << 90,), (0,), 0),
        ((2.0,), (1,), 0),
        ((2,), (1, 1), 0),
        ((2,), ("1",), 0),
        ([2], (1,), 0),
        ((1 << 61, 1 << 61), (0, 0), 0),
        ((1 << 61, 1 << 61, 0), (1, 1, 1), 0),
        ((1,) * 65, (1,) * 65, 0),
        (None, (1,), 0),
    ],
)
def test_no_geometry(size, stride, offset):
    with pytest.raises(InputError, match="impossible sizes"):
        view(size, stride, offset)


def test_repeated_elements_are_never_written_out():
    huge = view((1 << 30, 1 << 30), (0, 0))
    with pytest.raises(InputError, match="repeats its storage"):
        huge.read(numbers())


def test_a_tensor_of_no_storage():
    with pytest.raises(TypeError):
        rebuild_tensor("0", 0, (1,), (1,), False, {})


def test_kinds_of_storage():
    assert storage(identity()) == TEN
    assert storage((*identity("BFloat16Storage"), None)).nbytes == 20
    for odd in (identity("QInt8Storage"), identity(module="authors"), identity("load")):
        with pytest.raises(InputError, match=r"refused: a storage of type (torch|authors)"):
            storage(odd)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        (),
        ("module", 1, 2, 3, 4),
        ("storage",),
        identity()[:4],
        identity(elements=-1),
        identity(elements=1 << 70),
        identity(elements="10"),
        (*identity(), ("0", 0, 5)),
        ("storage", "torch.FloatStorage", "0", "cpu", 10),
        ("storage", Name("torch", "FloatStorage"), 0, "cpu", 10),
    ],
)
def test_no_identity_of_a_storage(odd):
    with pytest.raises((TypeError, ValueError)):
        storage(odd)
