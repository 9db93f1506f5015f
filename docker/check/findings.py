"""What the parts of the check have to say, and the table of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["holds", "FAILS", "not tried"]


@dataclass(frozen=True)
class Finding:
    """One thing that was to be checked.

    Attributes:
        what: it is.
        outcome: of the check.
        why: what was found, or why it was not tried.
    """

    what: str
    outcome: Outcome
    why: str = ""


def table(findings: Iterable[Finding], width: int = 72) -> str:
    """One line for each finding; what is longer than ``width`` is cut short."""
    rows = [(_shorten(each.what, width), each.outcome, each.why) for each in findings]
    widest = max(len(what) for what, _, _ in rows)
    return "\n".join(f"{what:{widest}}  {outcome:9}  {why}".rstrip() for what, outcome, why in rows)


def last_line(text: str) -> str:
    """What a program said last, which is why it failed."""
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _shorten(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 3]}..."
