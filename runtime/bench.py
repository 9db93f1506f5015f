"""The three frame rates of a network on this machine, which are never mixed.

``network``: the device computes and nothing else. ``frame``: one frame, start to end. ``stream``: sustained, with all
stages at work at the same time. The pictures are in memory or come from the source given.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from time import perf_counter
from typing import Any

from runtime.backends import Backend
from runtime.pipeline import Frame, Perceiver
from runtime.sources import Source
from runtime.timing import Clock, Effort, Lap, measure, median_split, stopwatch, summarise

_INCLUDES = {
    "network": "the network only, input and outputs on the device",
    "frame": "pre-processing, copies, network and post-processing of one frame, one after the other, without reading",
    "stream": "from one finished frame to the next; reading and all that a frame includes, overlapped",
}
RATES = tuple(_INCLUDES)


def measure_speed(
    backend: Backend,
    source: Source,
    effort: Effort | None = None,
    tell: Callable[[str], None] = lambda line: None,
    clock: Clock = perf_counter,
) -> dict[str, Any]:
    """Measure all three rates.

    Args:
        backend: the network.
        source: where frames come from; they are repeated for as long as it takes.
        effort: how long to measure each rate.
        tell: hears what is going on, one line at a time.
        clock: seconds, monotonic.

    Returns:
        The ``speed`` record of a report: frame rate, times in milliseconds and what they include, by rate; for
        ``frame`` also the median of each stage.
    """
    effort = effort or Effort()
    perceiver = Perceiver(backend)

    def laps_of(rate: str, lap: Callable[[], Lap]) -> list[Lap]:
        tell(f"{rate}: warming up, then measuring for {effort.seconds:g} s, {effort.count} times at least")
        laps, steady = measure(lap, effort, clock)
        if not steady:
            tell(f"{rate}: times were not steady after {effort.warm_up:g} s of warming up; do not trust them")
        return laps

    with closing(source.endless()) as frames:
        images, _ = perceiver.pre(next(frames).image)
        network = laps_of("network", stopwatch(backend.bound(images), clock))
        frame = laps_of("frame", _frame_lap(perceiver, frames, source.kind == "drawn", clock))
    with closing(perceiver.stream(source.endless())) as results:
        stream = laps_of("stream", stopwatch(lambda: next(results), clock))
    records = {
        rate: summarise(laps, f"{_INCLUDES[rate]} (batch 1, frames: {source.label})")
        for rate, laps in zip(RATES, (network, frame, stream), strict=True)
    }
    records["frame"]["split"] = median_split(frame)
    return records


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
        perceiver.post(outputs, placed)
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
