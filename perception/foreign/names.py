"""What the names in a pickle stand for.

A name is never looked up: nothing is imported, no attribute is read, no class of the file's choice is made. Where the
pickle calls a name, one of this project's own builders answers, or a record of the call, or a refusal.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from perception.errors import InputError
from perception.foreign.records import Name, StandIn, shown
from perception.foreign.tensors import rebuild_parameter, rebuild_tensor

_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
# NumPy's codes of numbers, and the most bytes that one takes.
_NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_WIDEST = 8
_LONGEST_NAME = 300
_LONGEST_KEY = 1000


def mention(module: object, name: object) -> Name:
    """The record of a name that a pickle mentions.

    Raises:
        InputError: Python's own library has it and no checkpoint needs it.
    """
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a name must be text")
    if len(module) + len(name) > _LONGEST_NAME:
        raise InputError(f"refused: its pickle uses {shown(module)}, longer than any name")
    found = Name(_PYTHON_2.get(module, module), name)
    if found.module.partition(".")[0] in sys.stdlib_module_names and str(found) not in _STANDARD:
        raise _refusal(found)
    return found


def instance(cls: object, arguments: tuple[Any, ...] = ()) -> StandIn:
    """An object made by a class as such, which is a stand-in whatever the class."""
    if not isinstance(cls, Name) or not isinstance(arguments, tuple):
        raise TypeError("an object needs a class and arguments")
    return StandIn(str(cls), arguments)


def call(callee: object, arguments: object) -> Any:
    """What a pickle gets for calling a name.

    Classes and functions look alike here. One that is spelt like a class becomes a stand-in, which is what checkpoints
    need (settings, enumerations); nothing would run either way, but a function called is a reason to stop.

    Raises:
        InputError: neither on the list nor spelt like a class.
    """
    if not isinstance(callee, Name) or not isinstance(arguments, tuple):
        raise TypeError("a call needs a name and arguments")
    if builder := _BUILDERS.get(str(callee)):
        return builder(*arguments)
    if str(callee) in _RECORDED or callee.spelt_like_a_class:
        return StandIn(str(callee), arguments)
    raise _refusal(callee)


def _refusal(name: Name) -> InputError:
    return InputError(f"refused: its pickle uses {shown(name)}, which no checkpoint needs; nothing of it was run")


def _reconstructor(cls: object, base: object, state: object) -> StandIn:
    return instance(cls)


def _empty_dictionary(factory: object = None) -> dict[Any, Any]:
    """Of any kind; the pickle fills it with instructions of its own."""
    return {}


def _size(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    return numbers


def _set(elements: list[Any]) -> set[Any]:
    return {key(element) for element in elements}


def _scalar(dtype: object, data: object) -> float | int | bool | StandIn:
    """A NumPy number as Python's; of a kind that is not a number, a stand-in."""
    if isinstance(data, StandIn) and data.name == "_codecs.encode":
        text = data.arguments[0]
        data = text[: _WIDEST + 1].encode("latin-1") if isinstance(text, str) else b""
    if isinstance(dtype, StandIn) and isinstance(data, bytes) and dtype.arguments[0] in _NUMBERS:
        big = isinstance(dtype.state, tuple) and dtype.state[1] == ">"
        (number,) = np.frombuffer(data, (">" if big else "<") + dtype.arguments[0])
        return number.item()
    return StandIn("numpy.scalar")


def key(value: object) -> Any:
    """What stands for ``value`` as a dictionary's key or in a set: short scalars themselves, of others a record.

    A record is found by its identity. Keys of the file's choice would be found by their hash, which nested tuples take
    exponential time for and numbers can be chosen to share, and by comparing long texts again and again.
    """
    if isinstance(value, StandIn | float | None):
        return value
    if isinstance(value, int):
        plain = value.bit_length() <= 64
    else:
        plain = isinstance(value, str | bytes) and len(value) <= _LONGEST_KEY
    return value if plain else StandIn(f"builtins.{type(value).__name__}", (value,))


# Called: answered with plain values.
_BUILDERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _empty_dictionary,
    "collections.defaultdict": _empty_dictionary,
    "builtins.set": _set,
    "copyreg._reconstructor": _reconstructor,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
# Called: recorded, though not spelt like classes.
_RECORDED = frozenset(
    {
        "_codecs.encode",
        "argparse.Namespace",
        "builtins.frozenset",
        "builtins.slice",
        "collections.Counter",
        "collections.deque",
        "datetime.date",
        "datetime.datetime",
        "datetime.timedelta",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.dtype",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "pathlib._local.PosixPath",
        "pathlib._local.WindowsPath",
        "torch.device",
        "types.SimpleNamespace",
    }
)
# Mentioned and not called: factories of default dictionaries, bases of classes, kinds kept as settings.
_TYPES = frozenset(f"builtins.{name}" for name in ("object", "dict", "list", "tuple", "int", "float", "str", "bool"))
_STANDARD = _RECORDED | _TYPES | frozenset(_BUILDERS)
