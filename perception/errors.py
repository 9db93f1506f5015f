"""The two ways a command ends badly; :mod:`perception.command` turns them into exit statuses."""

# What reading a file that is not of the expected form stumbles over: an entry that is absent, of another type, no
# number, a number beyond all bounds (which JSON can write), or nested without end.
MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)


class InputError(Exception):
    """What the user gave cannot be used. The message is one line: which file or option, what is wrong, what to do."""


class GateFailed(Exception):
    """The work was done and a threshold the user asked for was missed. The message is one line with both numbers."""


def require(holds: bool, setting: str, value: object, rule: str) -> None:
    """Raise :class:`InputError` that names a setting, its value and the rule it breaks, unless it ``holds``."""
    if not holds:
        raise InputError(f"{setting} {value}: {rule}")
