"""Tensors as a pickle describes them: windows on storages, checked, and read only when asked for."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from perception.errors import InputError
from perception.foreign.records import Name, shown

# The names under which ``torch.save`` records what a storage holds.
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# torch's own limit.
_DIMENSIONS = 64
_LARGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in the file: the key it is kept under, their kind and how many the pickle claims."""

    key: str
    dtype: torch.dtype
    elements: int

    @property
    def nbytes(self) -> int:
        """Bytes that the claim comes to."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class TensorView:
    """A tensor's place in its storage; ``offset`` and ``stride`` in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, data: bytearray) -> torch.Tensor:
        """The tensor itself, from the bytes of its storage, in memory of its own.

        Raises:
            InputError: it would repeat its storage's elements; a small file could claim any size so.
        """
        if math.prod(self.size) > self.storage.elements:
            held = self.storage.elements
            raise InputError(f"refused: a tensor of {shown(self.size)} repeats its storage of {held} elements")
        if not self.storage.elements:
            return torch.empty(self.size, dtype=self.storage.dtype)
        flat = torch.frombuffer(data, dtype=self.storage.dtype, count=self.storage.elements)
        return flat.as_strided(self.size, self.stride, self.offset).clone()


def storage(identity: object) -> Storage:
    """The storage that a persistent identity of ``torch.save`` means.

    Args:
        identity: ``("storage", type, key, device, elements)``, in the older format with a sixth entry that is None.

    Raises:
        InputError: for storages of a kind that is not read.
        TypeError: where it is none of torch's.
    """
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise TypeError("not the identity of a storage")
    _, kind, key, _, elements = identity[:5]
    if any(identity[5:]) or not isinstance(kind, Name) or not isinstance(key, str) or not _is_count(elements):
        raise TypeError("not the identity of a storage")
    if kind.module != "torch" or kind.name not in _DTYPES:
        raise InputError(f"refused: a storage of type {shown(kind)}; only torch's usual kinds of number are read")
    return Storage(key, _DTYPES[kind.name], elements)


def rebuild_tensor(
    data: object, offset: Any, size: Any, stride: Any, requires_grad: object, hooks: object, metadata: object = None
) -> TensorView:
    """What stands for ``torch._utils._rebuild_tensor_v2``: a view that lies inside its storage.

    Raises:
        InputError: it reaches beyond, or its geometry is none.
    """
    if not isinstance(data, Storage):
        raise TypeError("a tensor needs a storage")
    if not _is_shape(size) or not _is_shape(stride) or len(size) != len(stride) or not _is_count(offset):
        raise InputError("refused: a tensor of impossible sizes, strides or offset")
    reach = sum((count - 1) * step for count, step in zip(size, stride, strict=True)) + 1 if 0 not in size else 0
    if offset + reach > data.elements:
        raise InputError(f"refused: a tensor of {shown(size)} reaches beyond its storage of {data.elements} elements")
    return TensorView(data, offset, size, stride)


def rebuild_parameter(data: object, requires_grad: object, hooks: object) -> TensorView:
    """What stands for ``torch._utils._rebuild_parameter``: the tensor itself."""
    if not isinstance(data, TensorView):
        raise TypeError("a parameter needs a tensor")
    return data


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < _LARGEST


def _is_shape(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > _DIMENSIONS or not all(_is_count(count) for count in value):
        return False
    # torch counts elements as if no dimension were empty.
    return math.prod(max(count, 1) for count in value) < _LARGEST
