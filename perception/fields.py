"""Fields of JSON files, taken only where they are what they should be; ValueError says what they are instead."""

from typing import Any

from perception.errors import CONTROL, brief

# Nothing measured or counted comes near; what is larger would not fit a float.
_LARGEST = 10**18
_LONGEST, _LONGEST_FILE_NAME = 300, 255


def text(value: Any) -> str:
    """Text of one line."""
    if not isinstance(value, str) or len(value) > _LONGEST or CONTROL.search(value):
        raise ValueError(f"expected a line of text, got {brief(value)}")
    return value


def file_name(value: Any) -> str:
    """The name of a file in a folder that is known: it leads nowhere else."""
    name = text(value)
    if name in ("", ".", "..") or "/" in name or len(name.encode(errors="surrogatepass")) > _LONGEST_FILE_NAME:
        raise ValueError(f"a file outside of the folder: {brief(name)}")
    return name


def count(value: Any) -> int:
    """A whole number, 0 or above."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(f"expected a whole number not below 0, got {brief(value)}")
    return value


def number(value: Any) -> float:
    """A finite number."""
    # NaN fails the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"expected a number, got {brief(value)}")
    return float(value)


def duration(value: Any) -> float:
    """A finite number, 0 or above."""
    if number(value) < 0:
        raise ValueError(f"expected a number not below 0, got {brief(value)}")
    return float(value)
