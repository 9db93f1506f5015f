"""Stages that work at the same time: each in a thread of its own, with short queues in between."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

_POLL_SECONDS = 0.05


def overlap(
    source: Iterable[Any], stages: Sequence[Callable[[Any], Any]], depth: int = 2
) -> Generator[Any, None, None]:
    """Send every item of ``source`` through all ``stages`` and yield the results in the order of the source.

    The source is read in a thread too. What a stage or the source raises is raised here, after the results of the
    items before it, and stops everything; so does leaving the loop early.

    Args:
        source: what to work on; may be endless.
        stages: functions of one item, each called by one thread only.
        depth: how many items may wait before each stage and before the caller; the slowest sets the pace of all.
    """
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def in_background(items: Iterable[Any]) -> Iterator[Any]:
        queue: Queue = Queue(depth)
        threads.append(threading.Thread(target=_feed, args=(queue, items, stop), daemon=True))
        return _drain(queue, stop)

    items = in_background(source)
    for stage in stages:
        items = in_background(map(stage, items))
    for thread in threads:
        thread.start()
    try:
        yield from items
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class _End:
    """Comes after the last item, with what was raised in its stead."""

    error: BaseException | None = None


def _feed(queue: Queue, items: Iterable[Any], stop: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(queue, item, stop):
                return
    except BaseException as error:  # handed on from thread to thread, up to the caller
        end = _End(error)
    _put(queue, end, stop)


def _drain(queue: Queue, stop: threading.Event) -> Iterator[Any]:
    while not stop.is_set():
        try:
            item = queue.get(timeout=_POLL_SECONDS)
        except Empty:
            continue
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item


def _put(queue: Queue, item: Any, stop: threading.Event) -> bool:
    """False where everything was stopped."""
    while not stop.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False
