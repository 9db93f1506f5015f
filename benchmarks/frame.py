"""What one frame through this project's stages costs more than a bare ONNX Runtime loop over the same work.

    python benchmarks/frame.py student.onnx

Both place the same pictures in the network's input with cv2.resize, run the network and suppress boxes; they take
turns. At most 3 % more is wanted: a ratio of 0.97 or above.
"""

import sys
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from perception.postprocess import postprocess
from perception.tasks import Outputs, output_names
from runtime.backends import open_backend
from runtime.pipeline import Perceiver
from runtime.sources import drawn_source
from runtime.timing import Effort, always, measure, ratio, stopwatch

EFFORT = Effort(seconds=20, count=100, slices=20)


def main(path: Path) -> None:
    """Print the ratio of the frame rates."""
    pictures = [frame.image for frame in drawn_source().frames()]
    with open_backend(path, "cpu", threads=1) as backend:
        perceiver = Perceiver(backend)
        bare = _bare_loop(path, perceiver, cycle(pictures))
        images = cycle(pictures)

        def ours() -> None:
            perceiver(next(images))

        (plain, whole), _ = measure([always(stopwatch(bare)), always(stopwatch(ours))], EFFORT)
    found = ratio(whole, plain)
    print(
        f"{path.name}: {found['median']:.3f} of the bare loop's rate (slices {found['min']:.3f} to {found['max']:.3f})"
    )


def _bare_loop(path: Path, perceiver: Perceiver, pictures):
    """The same steps written down one after the other."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    spec = perceiver.backend.info.spec
    images, placed = perceiver.pre(next(pictures))
    images = np.array(images)
    window = images[0][placed.window]
    names = output_names(spec.tasks)

    def step() -> None:
        cv2.resize(next(pictures), placed.inner[::-1], dst=window, interpolation=cv2.INTER_LINEAR)
        postprocess(Outputs.of(spec.tasks, session.run(names, {"image": images})), 0, spec, placed)

    return step


if __name__ == "__main__":
    main(Path(sys.argv[1]))
