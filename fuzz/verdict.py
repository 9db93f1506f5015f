"""What a reader may do with a file: read it, or refuse it with one line. Anything else is a finding."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perception.errors import InputError

# Takes a file's bytes.
Read = Callable[[bytes], Any]

_LONGEST_LINE = 1000
# Linux's: what is held, and where the count of the most begins anew.
_STATUS, _PEAK_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Of Python's audit events (https://docs.python.org/3/library/audit_events.html), those of files that take over.
_RUNS_CODE = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.", "ctypes.", "import")


class Finding(Exception):
    """A reader did what none may do with a file from a stranger."""


class Judge:
    """Runs readers and watches what they do.

    Its hook stays in the process for good, since Python has no way to remove one.

    Args:
        folder: the only one that files may be opened in while a reader runs.
    """

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self._deeds: list[str] = []
        self._watching = False
        sys.addaudithook(self._hook)

    def try_out(self, read: Read, data: bytes, spare_mib: int, growth: int) -> bool:
        """Give ``data`` to a reader; whether it took them.

        Args:
            read: the reader.
            data: a file's.
            spare_mib, growth: memory that it may take: so many MiB and so many bytes a byte of ``data``.

        Raises:
            Finding: it ran or imported something, opened a file elsewhere, took more memory than the size of the file
                explains, or refused in many lines.
            Exception: whatever but an InputError came out of the reader.
        """
        # From here on the kernel counts the largest memory anew.
        _PEAK_RESET.write_text("5")
        before = _most_memory()
        with self._watched():
            try:
                read(data)
                line = ""
            except InputError as error:
                line = str(error) or "\n"
        if self._deeds:
            raise Finding(", ".join(self._deeds))
        if (taken := _most_memory() - before) > (spare_mib << 20) + growth * len(data):
            raise Finding(f"{taken >> 20} MiB for {len(data)} bytes")
        if len(line) > _LONGEST_LINE or "\n" in line:
            raise Finding(f"not one line: {line[:2000]!r}")
        return not line

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._deeds.clear()
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            path = arguments[0]
            # A number is a file that is open already.
            if not isinstance(path, int) and not Path(os.fsdecode(path)).resolve().is_relative_to(self.folder):
                self._deeds.append(f"opened {path!r}")
        elif event.startswith(_RUNS_CODE):
            self._deeds.append(f"{event} {arguments[:1]!r}")


def _most_memory() -> int:
    """Bytes that this process held at most."""
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
