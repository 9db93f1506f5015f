"""How far a long command is and how long it will still take, on standard error.

On a terminal one line is rewritten in place; in a log file a new line appears every ten seconds at most.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0


class Progress:
    """Counts steps and reports ``label: done/total, rate, elapsed, remaining, note`` now and then.

    The last report is written when ``total`` is reached, or by :meth:`close` (leaving a ``with`` block calls it).
    A context manager therefore suits work that may stop early.

    Args:
        label: what is being done, such as ``epoch 3``.
        total: how many steps there will be; None where nobody knows, as with a camera.
        stream: where reports go; standard error when absent.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.label = label
        self.total = total
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._start = self._last = clock()
        self._note = ""
        self._shown = 0
        self._closed = False

    def step(self, n: int = 1, note: str = "") -> None:
        """Count ``n`` more steps; ``note`` (a loss, a file name) stays until the next one replaces it."""
        self.done += n
        self._note = note or self._note
        if self.total is not None and self.done >= self.total:
            self.close()
            return
        now = self._clock()
        if now - self._last >= (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._last = now
            self._write(self._text(now), last=False)

    def close(self) -> None:
        """Write the last report; further calls do nothing."""
        if not self._closed:
            self._closed = True
            self._write(self._text(self._clock()), last=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _text(self, now: float) -> str:
        elapsed = now - self._start
        count = f"{self.done}" if self.total is None else f"{self.done}/{self.total}"
        parts = [f"{self.label}: {count}", _rate(self.done, elapsed), f"{_clock_face(elapsed)} elapsed"]
        if self.total is not None and 0 < self.done < self.total:
            parts.append(f"{_clock_face(elapsed / self.done * (self.total - self.done))} left")
        return ", ".join(part for part in (*parts, self._note) if part)

    def _write(self, text: str, last: bool) -> None:
        if not self._terminal:
            self._stream.write(text + "\n")
        else:
            # A line that wraps could not be taken back by the carriage return; spaces wipe what a longer one left.
            text = text[: shutil.get_terminal_size().columns - 1]
            self._stream.write("\r" + text.ljust(self._shown) + ("\n" if last else ""))
            self._shown = len(text)
        self._stream.flush()


def track(iterable: Iterable[Item], total: int | None, label: str) -> Iterator[Item]:
    """Yield the items of ``iterable`` and report each one as a step when the loop comes back for the next."""
    with Progress(label, total) as progress:
        for item in iterable:
            yield item
            progress.step()


def _rate(done: int, seconds: float) -> str:
    if not done or seconds <= 0:
        return ""
    return f"{done / seconds:.1f}/s" if done >= seconds else f"{seconds / done:.1f} s each"


def _clock_face(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
