"""What one frame through this project's stages costs more than a bare ONNX Runtime loop over the same work.

    python benchmarks/frame.py student.onnx

Both place the same pictures in the network's input with cv2.resize, run the network and suppress boxes; they take
turns every few frames. Processor time counts, on one thread: on a machine that others use too, their turns would drown
the difference. At most 3 % more is wanted: a ratio of 0.97 or above.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from perception.postprocess import postprocess
from perception.tasks import Outputs, output_names
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.pipeline import Perceiver
from runtime.sources import drawn_source
from runtime.timing import Effort, always, measure, ratio, stopwatch

EFFORT = Effort(seconds=16, count=320, slices=40)


def main(path: Path) -> None:
    """Print the ratio of the frame rates."""
    pictures = [frame.image for frame in drawn_source().frames()]
    with OnnxRuntime(path, "cpu", threads=1) as backend:
        perceiver = Perceiver(backend)
        images = cycle(pictures)
        steps = (_bare_loop(perceiver, cycle(pictures)), lambda: perceiver(next(images)))
        meters = [always(stopwatch(step, process_time)) for step in steps]
        (plain, whole), _ = measure(meters, EFFORT, process_time)
    found = ratio(whole, plain)
    bare, ours = (float(np.median([lap.total for lap in course.laps])) for course in (plain, whole))
    print(
        f"{path.name}: {found['median']:.3f} of the bare loop's rate (slices {found['min']:.3f} to {found['max']:.3f})"
    )
    print(f"  median frame {ours:.2f} ms, of the bare loop {bare:.2f} ms of processor time")


def _bare_loop(perceiver: Perceiver, pictures: Iterator[np.ndarray]) -> Callable[[], None]:
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
    main(Path(sys.argv[1]))
