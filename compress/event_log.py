"""Curves of a training in the files that TensorBoard reads: ``tensorboard --logdir OUT.log``."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from perception.errors import InputError


class EventLog:
    """Writes numbers by tag and step, each of which is in the file when the call ends.

    torch's own writer hands them to a thread, where a full disk is a traceback that nobody waits for.

    Args:
        folder: made where it is missing; every log in it is a file of its own.

    Raises:
        InputError: the file cannot be written; so does every call.
    """

    def __init__(self, folder: Path):
        # Slow to import, and needed by training alone.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._folder, self._event, self._summary = folder, Event, Summary
        with self._told():
            folder.mkdir(parents=True, exist_ok=True)
            name = f"events.out.tfevents.{_now():.0f}.{socket.gethostname()}.{os.getpid()}"
            self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")

    def __call__(self, tag: str, value: float, step: int) -> None:
        """Write one number."""
        self._write(step=step, summary=self._summary(value=[self._summary.Value(tag=tag, simple_value=value)]))

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What could not be written has been told.
        with suppress(OSError):
            self._file.close()

    def _write(self, **content: Any) -> None:
        with self._told():
            self._records.write(self._event(wall_time=_now(), **content).SerializeToString())
            self._records.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be written ({error.strerror or error})") from None


def _now() -> float:
    """Seconds, as the clock on the wall has them."""
    return datetime.now().timestamp()
