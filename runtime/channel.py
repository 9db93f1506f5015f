"""A short queue between two threads that either may close."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

Drop = Callable[[Any], None]


class Closed(Exception):
    """Nothing will come through this channel any more."""


class Stalled(Exception):
    """Nothing came through this channel for longer than its receiver would wait."""


class Channel:
    """Hands items from one thread to another in order; nobody polls, so that a hand-over costs one wake-up.

    Args:
        depth: how many items may wait, at least 1.
        drop: where given, a full channel lets the oldest item go and tells ``drop`` of it; else the sender waits.
        patience: seconds the receiver waits for an item before it raises :class:`Stalled`; None waits for ever.
    """

    def __init__(self, depth: int, drop: Drop | None = None, patience: float | None = None):
        self._depth, self._drop, self._patience = depth, drop, patience
        self._items: deque[Any] = deque()
        self._ended = self._abandoned = False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._filled, self._emptied = threading.Condition(lock), threading.Condition(lock)

    def put(self, item: Any) -> None:
        """Send one item; raises :class:`Closed` where the receiver has left."""
        oldest = []
        with self._emptied:
            if self._drop is None:
                self._emptied.wait_for(lambda: self._abandoned or len(self._items) < self._depth)
            elif len(self._items) == self._depth:
                oldest.append(self._items.popleft())
            if self._abandoned:
                raise Closed
            self._items.append(item)
            self._filled.notify()
        for item in oldest:
            self._drop(item)  # type: ignore[misc]  # there is none without it

    def get(self) -> Any:
        """Receive one item.

        Raises:
            Closed: the channel ended well, or was abandoned.
            Stalled: nothing came.
            BaseException: whatever the sender ended it with, after the items before it.
        """
        with self._filled:
            if not self._filled.wait_for(lambda: self._items or self._ended or self._abandoned, self._patience):
                raise Stalled
            if self._items and not self._abandoned:
                item = self._items.popleft()
                self._emptied.notify()
                return item
            if self._error is not None and not self._abandoned:
                raise self._error
            raise Closed

    def end(self, error: BaseException | None = None) -> None:
        """For the sender: no more items, and why."""
        with self._filled:
            self._ended, self._error = True, error
            self._filled.notify()

    def abandon(self) -> None:
        """For the receiver: drop what waits and refuse what would come; wakes both sides."""
        with self._filled:
            self._abandoned = True
            self._items.clear()
            self._filled.notify_all()
            self._emptied.notify_all()
