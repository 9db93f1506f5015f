"""A network that has to keep up with a camera: frames come when they come, and the newest counts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from time import perf_counter, sleep
from typing import Any

import numpy as np

from runtime.backends import Backend
from runtime.pipeline import Frame, Perceiver, SourceLost
from runtime.sources import Source
from runtime.timing import Clock, histogram, percentiles

_INCLUDES = "from the moment a frame comes to the moment its result is out; all stages overlapped, newest frame first"
# Seen before the measurement, so that everything has run once.
_SETTLING_FRAMES = 5
# A source that gives this share of the frames asked for has kept the pace.
_KEPT = 0.95


def measure_paced(
    backend: Backend,
    source: Source,
    rate: float,
    seconds: float,
    clock: Clock = perf_counter,
    wait: Callable[[float], None] = sleep,
) -> tuple[dict[str, Any] | None, str]:
    """Give a network ``rate`` frames a second for so many ``seconds``; see how many it answers and how old answers are.

    A frame that comes before its predecessor was begun takes its place: that one is dropped. A deadline is missed when
    a result is not out one period after its frame came.

    Returns:
        The record, None without any result: see :func:`summarise_paced`. And why it ended early, "" where it did not.
    """
    perceiver = Perceiver(backend)
    dropped: list[float] = []
    came: list[float] = []
    out: list[float] = []
    lost = ""
    with closing(source.endless()) as frames:
        try:
            for _ in range(_SETTLING_FRAMES):
                perceiver(next(frames))
            with closing(
                perceiver.stream(paced(frames, rate, seconds, clock, wait), lambda old: dropped.append(old.came))
            ) as stream:
                for seen in stream:
                    out.append(clock())
                    came.append(seen.frame.came)
        except SourceLost as loss:
            lost = str(loss)
    perceiver.faults.tell()
    record = summarise_paced(np.array(came), np.array(out), np.array(dropped), rate)
    return record and {**record, "includes": f"{_INCLUDES} (batch 1, frames: {source.label})"}, lost


def paced(
    frames: Iterable[Frame],
    rate: float,
    seconds: float,
    clock: Clock = perf_counter,
    wait: Callable[[float], None] = sleep,
) -> Iterator[Frame]:
    """Let ``frames`` come ``rate`` times a second, for so many ``seconds``; what was too late is left out."""
    start, number = clock(), 0
    for frame in frames:
        if (due := number / rate) >= seconds:
            return
        if (early := start + due - clock()) > 0:
            wait(early)
        came = clock()
        if came - start >= seconds:
            return
        yield replace(frame, came=came)
        number = max(number, int((came - start) * rate)) + 1


def gave_too_few(paced: Mapping[str, Any]) -> bool:
    """Whether the source itself could not keep the pace of a record, so that it says little of the network."""
    return paced["offered"] < _KEPT * paced["rate"]


def summarise_paced(came: np.ndarray, out: np.ndarray, dropped: np.ndarray, rate: float) -> dict[str, Any] | None:
    """Sum up a paced run.

    Args:
        came: seconds, when the frames of the results came.
        out: seconds, when each result was out.
        dropped: seconds, when the frames came that were dropped.
        rate: frames per second that were asked for.

    Returns:
        ``rate``; the numbers of ``frames``, ``dropped`` and ``missed`` deadlines; ``offered`` frames and ``fps``, the
        results, per second; ``deadline`` and the percentiles of ``age`` with their ``histogram``, in milliseconds.
        None without any result.
    """
    if not len(out):
        return None
    arrivals = np.concatenate([came, dropped])
    seconds = float(arrivals.max() - arrivals.min()) + 1 / rate
    ages = (out - came) * 1000
    return {
        "rate": rate,
        "frames": len(arrivals),
        "dropped": len(dropped),
        "missed": int((ages > 1000 / rate).sum()),
        "offered": len(arrivals) / seconds,
        "fps": len(out) / seconds,
        "deadline": 1000 / rate,
        "age": percentiles(ages),
        "histogram": histogram(ages),
    }
