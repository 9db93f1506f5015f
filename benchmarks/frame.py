"""What one frame through this project's stages costs more than a bare ONNX Runtime loop over the same work.

    python benchmarks/frame.py student.onnx

Both place the same pictures in the network's input with cv2.resize, run the network and suppress boxes, in one thread.
They take turns frame by frame, every second time the other way round, and each frame is compared with the one beside
it: so a machine that is busy with other things makes single ratios scatter, but hardly moves their median. Two clocks
are read: the thread's processor time, which leaves out the turns of others, and the time that passed. At most 3 % more
is wanted: a ratio of 0.97 or above, in processor time, which the exit status says.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from math import sqrt
from pathlib import Path
from time import perf_counter, thread_time

import cv2
import numpy as np

from perception.postprocess import postprocess
from perception.tasks import Outputs, output_names
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.pipeline import Perceiver
from runtime.sources import drawn_source

LIMIT = 0.97
WARM_UP = 20
CLOCKS = {"processor time": thread_time, "time passed": perf_counter}
Step = Callable[[], object]


def main() -> int:
    """Print the ratios of the frame rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--pairs", type=int, default=400, help="frames of each, one beside the other")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    drawn = list(drawn_source().frames())
    pictures = [frame.image for frame in drawn]
    with OnnxRuntime(arguments.model, "cpu", threads=1) as backend:
        perceiver = Perceiver(backend)
        frames = cycle(drawn)
        bare, ours = side_by_side(bare_loop(perceiver, cycle(pictures)), lambda: perceiver(next(frames)), arguments)
    print(f"{arguments.model.name}: rate of a frame as a share of the bare loop's, {arguments.pairs} pairs")
    shares = bare / ours
    for place, name in enumerate(CLOCKS):
        ratios = shares[:, place]
        low, high = bounds_of_median(ratios)
        quarter, middle, rest = np.percentile(ratios, (25, 50, 75))
        print(
            f"  {name:14}  median {middle:.3f} (95 % sure between {low:.3f} and {high:.3f}), "
            f"half of the pairs {quarter:.3f} to {rest:.3f}; "
            f"a frame {np.median(ours[:, place]):.2f} ms, bare {np.median(bare[:, place]):.2f} ms"
        )
    return int(np.median(shares[:, 0]) < LIMIT)


def side_by_side(bare: Step, ours: Step, arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds ``[pairs, clocks]`` of both."""
    for _ in range(WARM_UP):
        bare(), ours()
    times = np.empty((2, arguments.pairs, len(CLOCKS)))
    for pair in range(arguments.pairs):
        for which in (0, 1) if pair % 2 else (1, 0):
            times[which, pair] = timed((bare, ours)[which])
    return times[0], times[1]


def timed(step: Step) -> list[float]:
    """Milliseconds of one turn, by clock."""
    starts = [clock() for clock in CLOCKS.values()]
    step()
    return [1000 * (clock() - start) for clock, start in zip(CLOCKS.values(), starts, strict=True)]


def bounds_of_median(values: np.ndarray) -> tuple[float, float]:
    """Between which the median of all such values lies, 95 % sure: order statistics, by the binomial distribution."""
    ranked, half = np.sort(values), 0.98 * sqrt(len(values))
    middle = len(values) / 2
    return ranked[max(0, int(middle - half))], ranked[min(len(values) - 1, int(middle + half))]


def bare_loop(perceiver: Perceiver, pictures: Iterator[np.ndarray]) -> Step:
    """The same steps written down one after the other."""
    # The very same session: two of them differ by some per cent through where their memory lies.
    session = perceiver.backend._session
    spec = perceiver.backend.info.spec
    images, placed = perceiver.pre(next(pictures))
    images = images.copy()
    window = images[0][placed.window]
    names = output_names(spec.tasks)

    def step() -> None:
        cv2.resize(next(pictures), placed.inner[::-1], dst=window, interpolation=placed.interpolation)
        postprocess(Outputs.of(spec.tasks, session.run(names, {"image": images})), 0, spec, placed)

    return step


if __name__ == "__main__":
    sys.exit(main())
