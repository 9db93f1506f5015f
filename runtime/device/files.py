"""Short text files of ``/proc``, ``/sys`` and ``/etc``, read cheaply; what cannot be read is no fault."""

import os
import re
from pathlib import Path

_LONGEST = 1 << 16


def read_text(path: str | Path) -> str:
    """The beginning of a file without surrounding blanks; "" where there is none or it refuses to be read.

    Opened anew each time: a core that goes offline takes its files along, and brings them back.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            content = os.read(handle, _LONGEST)
        finally:
            os.close(handle)
    except OSError:
        return ""
    # Device tree strings end with a zero byte.
    return content.decode(errors="replace").strip("\0\n\t ")


def read_number(path: str | Path) -> int | None:
    """The whole number that a file holds; None where it holds none now."""
    try:
        return int(read_text(path))
    except ValueError:
        return None


def found(root: Path, pattern: str) -> list[Path]:
    """What matches under ``root``, in the order people count: zone2 before zone10."""
    return sorted(root.glob(pattern), key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))])
