"""SIGINT and SIGTERM end a command cleanly; a second one ends it at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: what knows how to be interrupted knows how to be terminated."""


@contextmanager
def raised() -> Iterator[None]:
    """Within the block the first signal raises KeyboardInterrupt or :class:`Terminated`; the second one kills."""
    with _handled(_raise):
        yield


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Within the block the first signal waits, the second one kills; the first is raised at the end of the block.

    Yields:
        A function that tells whether a signal waits, so that the block can end early.
    """
    waiting: list[int] = []
    with _handled(waiting.append):
        yield lambda: bool(waiting)
    if waiting:
        outer = signal.getsignal(waiting[0])
        if callable(outer):
            # So that it knows: the next one is the second.
            outer(waiting[0], None)
        _raise(waiting[0])


@contextmanager
def _handled(action: Callable[[int], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python brings signals to the main thread alone.
        yield
        return

    def handler(number: int, _) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        action(number)

    before = {each: signal.signal(each, handler) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, old in before.items():
            signal.signal(each, old)


def _raise(number: int) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
