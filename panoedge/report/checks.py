"""What a field of a JSON file may be: small checks, joined to the shape of a whole record.

A check takes a value and where it stands, and raises :class:`Fault` unless the value is what it wants.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

# Nothing measured comes near; what is larger would not fit a float.
_LARGEST = 1e18
_DEEPEST = 32

Check = Callable[[Any, str], None]


class Fault(Exception):
    """Which field is not what the schema says, and why."""

    def __init__(self, where: str, message: str):
        super().__init__(" ".join(f"{where.lstrip('.') or 'report'}: {message}".split()))


def wrong(where: str, wanted: str, value: Any) -> Fault:
    """A fault that shows the beginning of what was found instead."""
    shown = json.dumps(value, default=str)
    return Fault(where, f"expected {wanted}, got {shown[:60]}{'...' if len(shown) > 60 else ''}")


def text(value: Any, where: str) -> None:
    """Text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(where, "a text", value)


def words(value: Any, where: str) -> None:
    """Text that may be empty."""
    if not isinstance(value, str):
        raise wrong(where, "a text", value)


def flag(value: Any, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong(where, "true or false", value)


def number(value: Any, where: str) -> None:
    """A number, 0 or above."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise wrong(where, "a number not below 0", value)


def difference(value: Any, where: str) -> None:
    """Any number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        raise wrong(where, "a number", value)


def count(value: Any, where: str) -> None:
    """A whole number, 0 or above."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise wrong(where, "a whole number not below 0", value)


def fraction(value: Any, where: str) -> None:
    """A number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise wrong(where, "a fraction between 0 and 1", value)


def instant(value: Any, where: str) -> None:
    """An ISO 8601 time."""
    text(value, where)
    try:
        moment(value)
    except ValueError:
        raise wrong(where, "an ISO 8601 time", value) from None


def moment(text: str) -> datetime:
    """An ISO 8601 time, UTC where it does not say; Python 3.10 does not read the final Z by itself."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def one_of(*names: str) -> Check:
    """One of these texts."""

    def check_name(value: Any, where: str) -> None:
        if value not in names:
            raise wrong(where, " or ".join(names), value)

    return check_name


def nullable(inner: Check) -> Check:
    """What ``inner`` takes, or null."""

    def check_nullable(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check_nullable


def many(inner: Check, least: int = 0) -> Check:
    """A list, ``least`` items or more, of what ``inner`` takes."""

    def check_many(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise wrong(where, f"a list of {least} or more" if least else "a list", value)
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check_many


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object that has all ``required`` fields and may have ``optional`` ones; others are ignored."""

    def check_record(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise wrong(where, "an object", value)
        for name in required:
            if name not in value:
                raise Fault(f"{where}.{name}", "missing")
        for name, inner in {**required, **(optional or {})}.items():
            if name in value:
                inner(value[name], f"{where}.{name}")

    return check_record


def columns(least: int, **inner: Check) -> Check:
    """An object of lists that belong together: equally long, ``least`` items or more."""
    one_by_one = record({name: many(check, least) for name, check in inner.items()})

    def check_columns(value: Any, where: str) -> None:
        one_by_one(value, where)
        if len({len(value[name]) for name in inner}) > 1:
            raise Fault(where, f"{', '.join(inner)} must be equally long")

    return check_columns


def each(inner: Check) -> Check:
    """An object whose every value is what ``inner`` takes."""

    def check_each(value: Any, where: str) -> None:
        record({})(value, where)
        for name, item in value.items():
            inner(item, f"{where}.{name}")

    return check_each


def plain(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what JSON parsers let through and pages do not: NaN, infinity, halves of characters, endless nesting."""
    if depth > _DEEPEST:
        raise Fault(where[:_DEEPEST], f"nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        for name, item in value.items():
            plain(name, where, depth)
            plain(item, f"{where}.{name}", depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            plain(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise wrong(where, "a finite number", value)
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise wrong(where, "text that UTF-8 can write", value)
