"""The three frame rates of networks on this machine, which are never mixed.

``network``: the device computes and nothing else. ``frame``: one frame, start to end. ``stream``: sustained, with all
stages at work at the same time. The pictures are in memory or come from the source given. Several networks take turns,
slice by slice, so that their ratios hold where the machine's own speed wanders.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

from perception.errors import InputError
from runtime.backends import Backend
from runtime.pipeline import Frame, Perceiver
from runtime.sources import Source
from runtime.timing import Clock, Course, Effort, Lap, Meter, always, measure, median_split, ratio, stopwatch, summarise

_INCLUDES = {
    "network": "the network only, input and outputs on the device",
    "frame": "pre-processing, copies, network and post-processing of one frame, one after the other, without reading",
    "stream": "from one finished frame to the next; reading and all that a frame includes, overlapped",
}
RATES = tuple(_INCLUDES)
Tell = Callable[[str], None]
# Gives what is entered while a rate, given by its name, is measured.
Watching = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Speeds:
    """What was measured.

    Attributes:
        records: the ``speed`` record of a report, one a network: by rate, None where nothing was measured.
        lost: the source's last words where it ended the measurement early, else "".
    """

    records: list[dict[str, Any]]
    lost: str


def measure_speed(
    backend: Backend,
    source: Source,
    effort: Effort | None = None,
    tell: Tell = lambda line: None,
    clock: Clock = perf_counter,
) -> dict[str, Any]:
    """Measure all three rates of one network: see :func:`compare_speed`. Returns its ``speed`` record."""
    return compare_speed([backend], source, effort, tell, clock=clock).records[0]


def compare_speed(
    backends: Sequence[Backend],
    source: Source,
    effort: Effort | None = None,
    tell: Tell = lambda line: None,
    watch: Watching = nullcontext,
    clock: Clock = perf_counter,
) -> Speeds:
    """Measure all three rates of every network, turn and turn about.

    Args:
        backends: the networks; others are compared with the first.
        source: where frames come from; they are repeated for as long as it takes.
        effort: how long to measure each rate of each network.
        tell: hears what is going on, one line at a time.
        watch: looks on while each rate is measured.
        clock: seconds, monotonic.

    Returns:
        By rate what :func:`runtime.timing.summarise` gives; for ``frame`` also ``split``, the median milliseconds of
        each stage; for all networks but the first also ``ratio``, to the first; where the source was lost meanwhile
        also ``cut``.

    Raises:
        InputError: the source gave too little to measure anything, or outputs are not finite frame after frame.
    """
    effort = effort or Effort()
    perceivers = [Perceiver(backend) for backend in backends]
    courses: dict[str, list[Course]] = {}
    with closing(source.endless()) as frames:
        meters = _meters(perceivers, frames, source.kind == "drawn", clock)
        for rate, of_all in meters.items():
            tell(f"{rate}: warming up, then measuring for {effort.seconds:g} s, {effort.count} times at least")
            with watch(rate):
                courses[rate], lost = measure(of_all, effort, clock)
            if lost:
                tell(f"{rate}: ended early: {lost}")
                break
            for backend, course in zip(backends, courses[rate], strict=True):
                if not course.steady:
                    tell(f"{rate}: {backend.path} was not steady after {effort.warm_up:g} s of warming up")
    for perceiver in perceivers:
        perceiver.faults.tell()
    if not any(course.laps for of_rate in courses.values() for course in of_rate):
        raise InputError(lost)
    records = [_record(courses, place, source.label) for place in range(len(backends))]
    for record in records if lost else ():
        if cut := record[list(courses)[-1]]:
            cut["cut"] = True
    return Speeds(records, lost)


def _meters(
    perceivers: Sequence[Perceiver], frames: Iterator[Frame], in_memory: bool, clock: Clock
) -> dict[str, list[Meter]]:
    """What measures each rate of each network."""
    first = next(frames).image
    networks = [perceiver.backend.bound(perceiver.pre(first)[0]) for perceiver in perceivers]
    return {
        "network": [always(stopwatch(compute, clock)) for compute in networks],
        "frame": [always(_frame_lap(perceiver, frames, in_memory, clock)) for perceiver in perceivers],
        "stream": [_stream_meter(perceiver, frames, clock) for perceiver in perceivers],
    }


def _stream_meter(perceiver: Perceiver, frames: Iterator[Frame], clock: Clock) -> Meter:
    """A stream that runs while it is measured only: the others' turns are not disturbed."""

    @contextmanager
    def meter() -> Iterator[Callable[[], Lap]]:
        with closing(perceiver.stream(frames)) as results:
            yield stopwatch(lambda: next(results), clock)

    return meter


def _frame_lap(perceiver: Perceiver, frames: Iterator[Frame], in_memory: bool, clock: Clock) -> Callable[[], Lap]:
    """One frame through all stages in this thread. Frames in memory are not read, so no time is given for it."""

    def lap() -> Lap:
        times = [clock()]
        frame = next(frames)
        times.append(clock())
        images, placed = perceiver.pre(frame.image)
        times.append(clock())
        outputs, inference = perceiver.backend.timed(images)
        times.append(clock())
        perceiver.post(outputs, frame, placed)
        times.append(clock())
        read, pre, infer, post = ((end - start) * 1000 for start, end in pairwise(times))
        split = {
            "read": None if in_memory else read,
            "pre": pre,
            "copy_in": inference.copy_in,
            "compute": inference.compute,
            "copy_out": inference.copy_out,
            "post": post,
        }
        return Lap(pre + infer + post, split)

    return lap


def _record(courses: dict[str, list[Course]], place: int, label: str) -> dict[str, Any]:
    """The rates of the network at ``place``."""
    record: dict[str, Any] = dict.fromkeys(RATES)
    for rate, of_all in courses.items():
        course = of_all[place]
        summary = summarise(course, f"{_INCLUDES[rate]} (batch 1, frames: {label})")
        if summary and rate == "frame":
            summary["split"] = median_split(course.laps)
        if summary and place:
            summary["ratio"] = ratio(course, of_all[0])
        record[rate] = summary
    return record
