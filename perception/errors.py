"""The two ways a command ends badly, and how what files say is quoted; :mod:`perception.command` makes exit statuses
of them."""

import re

# What reading a file that is not of the expected form stumbles over: an entry that is absent, of another type, no
# number, a number beyond all bounds (which JSON can write), or nested without end.
MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)

_LONGEST_QUOTE = 200
# Line feeds, colours and moves of a terminal, and marks that turn the direction of reading.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class InputError(Exception):
    """What the user gave cannot be used. The message is one line: which file or option, what is wrong, what to do."""


class GateFailed(Exception):
    """The work was done and a threshold the user asked for was missed. The message is one line with both numbers."""


def one_line(text: str) -> str:
    """Text as a terminal may show it: what names of files and their contents could steer it with is spelt out."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def brief(value: object) -> str:
    """What a file says, to be quoted in a message: text, or else as Python writes it, cut where it goes on and on."""
    text = one_line(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def require(holds: bool, setting: str, value: object, rule: str) -> None:
    """Raise :class:`InputError` that names a setting, its value and the rule it breaks, unless it ``holds``."""
    if not holds:
        raise InputError(f"{setting} {brief(str(value))}: {rule}")
