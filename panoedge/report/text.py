"""Numbers as people read them. What was not measured is an en dash, never a zero."""

from pathlib import PurePath

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"


def percent(fraction: float | None) -> str:
    """0.7834 to ``78.3``; the column says that it is per cent."""
    return NONE if fraction is None else f"{100 * fraction:.1f}"


def points(difference: float) -> str:
    """A difference of fractions in percentage points, always signed: ``+0.4``, ``−1.2``, ``±0.0``."""
    return _signed(100 * difference)


def change(ratio: float | None) -> str:
    """A ratio as a relative change: 0.673 to ``−32.7 %``."""
    return "" if ratio is None else f"{_signed(100 * (ratio - 1))}{NARROW}%"


def times(ratio: float | None) -> str:
    """``1.83×``."""
    return NONE if ratio is None else f"{ratio:.2f}×"


def three_digits(value: float | None) -> str:
    """Three decimals below 1, else three significant digits, never an exponent: ``0.412``, ``4.12``, ``412``."""
    if value is None:
        return NONE
    decimals = 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{decimals}f}"


def quantity(value: float | None, unit: str = "") -> str:
    """With a decimal prefix: 2104332 to ``2.10 M``, 1400000 with ``B`` to ``1.40 MB``."""
    if value is None:
        return NONE
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{three_digits(value / factor)}{NARROW}{prefix}{unit}"
    return f"{value:g}{NARROW}{unit}" if unit else f"{value:g}"


def base_name(path: str) -> str:
    """The last part of a path, or the text as it is."""
    return PurePath(path).name or path


def listing(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _signed(value: float) -> str:
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return f"±{text}"
    return f"{'+' if value > 0 else MINUS}{text}"
