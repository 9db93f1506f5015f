"""A pickle, read without running it: the instructions build plain containers, numbers, text and inert records.

Python's own unpickler calls what the file names. This one is a small machine over ``pickletools.genops``, which only
decodes, and what is called is decided by :mod:`perception.foreign.names`. Every step is counted, so that a file cannot
keep it busy for long or make it fill the memory.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any

from perception.errors import InputError
from perception.foreign.names import call, instance, key, mention
from perception.foreign.records import StandIn

# A published checkpoint with a thousand tensors and its optimizer's takes 136,000 steps and 0.4 MB.
STEPS = 1_000_000
PICKLE_BYTES = 16 << 20

# Instructions whose argument is the value.
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_MAKERS: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_FRAMING = frozenset({"PROTO", "FRAME", "STOP"})


def unpickle(stream: IO[bytes], persistent: Callable[[Any], Any]) -> Any:
    """Read one pickle, up to and including its STOP.

    Args:
        stream: of bytes already in memory; it is left behind the pickle.
        persistent: gives the object for a persistent identity.

    Raises:
        InputError: damaged, beyond the limits, or with a use of a name that is refused.
    """
    machine = _Machine(persistent)
    begin = stream.tell()
    try:
        return machine.run(stream)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        raise InputError(f"damaged: its pickle makes no sense near byte {stream.tell() - begin}") from None


class _Machine:
    """The stack, the marks on it and the memo. A method ``op_x`` is the instruction X."""

    def __init__(self, persistent: Callable[[Any], Any]):
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._steps = 0

    def run(self, stream: IO[bytes]) -> Any:
        """Follow one pickle and return its object."""
        for opcode, argument, _ in pickletools.genops(stream):
            self._count(1)
            name = opcode.name
            if name in _VALUES:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _MAKERS:
                self._stack.append(_MAKERS[name]())
            elif name not in _FRAMING:
                handler = getattr(self, f"op_{name.lower()}", None)
                if handler is None:
                    raise InputError(f"refused: its pickle holds the instruction {name}, which torch.save never writes")
                handler(argument)
        return self._stack.pop()

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > STEPS:
            raise InputError(f"refused: its pickle takes more than {STEPS} steps, far beyond any checkpoint")

    def _above_mark(self) -> list[Any]:
        return self._take(len(self._stack) - self._marks.pop())

    def _take(self, count: int) -> list[Any]:
        """The uppermost objects, the oldest first; they leave the stack."""
        start = len(self._stack) - count
        if count < 0 or start < 0:
            raise IndexError
        items = self._stack[start:]
        del self._stack[start:]
        return items

    # The stack and the memo.

    def op_mark(self, _: None) -> None:
        self._marks.append(len(self._stack))

    def op_pop(self, _: None) -> None:
        self._stack.pop()

    def op_pop_mark(self, _: None) -> None:
        self._above_mark()

    def op_dup(self, _: None) -> None:
        self._stack.append(self._stack[-1])

    def op_put(self, index: int) -> None:
        if index >= 1 << 32:
            # Only text can say such a number; many of them can be chosen to collide.
            raise IndexError
        self._memo[index] = self._stack[-1]

    def op_memoize(self, _: None) -> None:
        self.op_put(len(self._memo))

    def op_get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    op_binput = op_long_binput = op_put
    op_binget = op_long_binget = op_get

    # Containers. What an object of an unknown class collects is not kept.

    def op_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._above_mark()))

    def op_tuple1(self, _: None) -> None:
        self._stack.append(tuple(self._take(1)))

    def op_tuple2(self, _: None) -> None:
        self._stack.append(tuple(self._take(2)))

    def op_tuple3(self, _: None) -> None:
        self._stack.append(tuple(self._take(3)))

    def op_list(self, _: None) -> None:
        self._stack.append(self._above_mark())

    def op_append(self, _: None) -> None:
        self._extend(self._take(1))

    def op_appends(self, _: None) -> None:
        self._extend(self._above_mark())

    def op_dict(self, _: None) -> None:
        items = self._above_mark()
        self._stack.append({})
        self._fill(items)

    def op_setitem(self, _: None) -> None:
        self._fill(self._take(2))

    def op_setitems(self, _: None) -> None:
        self._fill(self._above_mark())

    def op_additems(self, _: None) -> None:
        elements = [key(element) for element in self._above_mark()]
        target = self._stack[-1]
        if isinstance(target, set):
            target.update(elements)
        elif not isinstance(target, StandIn):
            raise TypeError

    def op_frozenset(self, _: None) -> None:
        self._stack.append(frozenset(key(element) for element in self._above_mark()))

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, StandIn):
            raise TypeError

    def _fill(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            for name, value in zip(items[::2], items[1::2], strict=True):
                target[key(name)] = value
        elif not isinstance(target, StandIn):
            raise TypeError

    # Names, objects and calls.

    def op_global(self, both: str) -> None:
        self._stack.append(mention(*both.split(" ", 1)))

    def op_stack_global(self, _: None) -> None:
        self._stack.append(mention(*self._take(2)))

    def op_newobj(self, _: None) -> None:
        self._stack.append(instance(*self._take(2)))

    def op_newobj_ex(self, _: None) -> None:
        cls, arguments, _keywords = self._take(3)
        self._stack.append(instance(cls, arguments))

    def op_reduce(self, _: None) -> None:
        callee, arguments = self._take(2)
        if arguments and isinstance(arguments[0], list):
            # It may be copied into a set.
            self._count(len(arguments[0]))
        self._stack.append(call(callee, arguments))

    def op_build(self, _: None) -> None:
        (state,) = self._take(1)
        target = self._stack[-1]
        if isinstance(target, StandIn):
            target.state = state
        # An ordered dictionary of weights has attributes of its own, which say nothing about the weights.
        elif not isinstance(target, dict):
            raise TypeError

    def op_binpersid(self, _: None) -> None:
        (identity,) = self._take(1)
        self._stack.append(self._persistent(identity))
