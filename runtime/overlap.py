"""Stages that work at the same time: each in a thread of its own, with short channels in between."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from runtime.channel import Channel, Closed, Drop


def overlap(
    source: Iterable[Any],
    stages: Sequence[Callable[[Any], Any]],
    depth: int = 2,
    drop: Drop | None = None,
    patience: float | None = None,
) -> Generator[Any, None, None]:
    """Send every item of ``source`` through all ``stages`` and yield the results in the order of the source.

    The source is read in a thread too. What a stage or the source raises is raised here, after the results of the
    items before it, and stops everything; so does leaving the loop early.

    Args:
        source: what to work on; may be endless.
        stages: functions of one item, each called by one thread only.
        depth: how many items may wait before each stage and before the caller.
        drop: None makes the slowest set the pace of all. Else nobody is waited for: where ``depth`` items wait already,
            the oldest is left out and ``drop`` is told, in the thread of the stage before.
        patience: seconds to wait for the next item of the source; None waits for ever.

    Raises:
        runtime.channel.Stalled: the source took longer than ``patience``. Its thread is left to itself then.
    """
    channels = [Channel(depth, drop, patience), *(Channel(depth, drop) for _ in stages)]
    feeds = [iter(source), *(map(stage, _drain(channel)) for stage, channel in zip(stages, channels, strict=False))]
    threads = [threading.Thread(target=_feed, args=pair, daemon=True) for pair in zip(channels, feeds, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield from _drain(channels[-1])
    finally:
        for channel in channels:
            channel.abandon()
        for thread in threads[1:]:
            thread.join()
        # A device that hangs never comes back from reading.
        threads[0].join(patience)


def _feed(channel: Channel, items: Iterator[Any]) -> None:
    try:
        for item in items:
            channel.put(item)
    except Closed:
        return
    except BaseException as error:  # handed on from thread to thread, up to the caller
        channel.end(error)
    else:
        channel.end()


def _drain(channel: Channel) -> Iterator[Any]:
    while True:
        try:
            item = channel.get()
        except Closed:
            return
        yield item
