"""How near a stream comes to the rate of its slowest stage, with a network that only waits.

    python benchmarks/stream.py

The stream reads, pre-processes, waits and post-processes 1,000 candidates a frame; it takes turns with a loop that does
nothing but the same waiting. At least 0.97 is wanted; the exit status says whether it was reached.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from waiting import Waiting

from runtime.pipeline import Perceiver
from runtime.sources import drawn_source
from runtime.timing import Effort, Lap, Meter, always, measure, ratio, stopwatch

LIMIT = 0.97
EFFORT = Effort(seconds=8, count=80, warm_up=4, slices=8)


def main() -> int:
    """Print one line for each duration of the network."""
    shares = []
    for milliseconds in (10, 20, 31):
        backend = Waiting(milliseconds)
        (waiting, streaming), _ = measure([always(stopwatch(backend.wait)), stream_of(backend)], EFFORT)
        found = ratio(streaming, waiting)
        shares.append(found["median"])
        print(
            f"network {milliseconds:2} ms: stream at {found['median']:.3f} of the waiting's rate "
            f"(slices {found['min']:.3f} to {found['max']:.3f})"
        )
    return int(min(shares) < LIMIT)


def stream_of(backend: Waiting) -> Meter:
    """Measures from one result to the next."""
    perceiver, frames = Perceiver(backend), drawn_source().endless()

    @contextmanager
    def meter() -> Iterator[Callable[[], Lap]]:
        with closing(perceiver.stream(frames)) as results:
            yield stopwatch(lambda: next(results))

    return meter


if __name__ == "__main__":
    sys.exit(main())
