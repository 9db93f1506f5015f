"""What a file's names and objects become: records without behaviour."""

from dataclasses import dataclass
from typing import Any

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Name:
    """A module-level name that a pickle mentions. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def spelt_like_a_class(self) -> bool:
        """CapWords, as classes are by convention."""
        return self.name.isidentifier() and self.name.lstrip("_")[:1].isupper()


@dataclass(eq=False, slots=True)
class StandIn:
    """An object of a class that is not known here: what the file tells of it, and no behaviour.

    Attributes:
        name: its class, dotted.
        arguments: what it was made from.
        state: what its attributes were set from, most often a dictionary.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None


def shown(text: object) -> str:
    """Text from a file, safe to print: one line, no control characters, not too long."""
    line = ascii(str(text))[1:-1]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
