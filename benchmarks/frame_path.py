"""What pre- and post-processing of one frame cost.

    python benchmarks/frame_path.py

Placing a 1280x720 picture in the network's input is compared with one bare cv2.resize, turn and turn about: at most
1.2 times as long is wanted. Post-processing is timed by itself: YOLOP's 1,000 candidates at most 2 ms, RMT-PPAD's 300
queries at most 0.5 ms. The exit status says whether all of that holds.
"""

import sys

import cv2
import numpy as np
from waiting import street

from perception.geometry import fit
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import Outputs
from runtime.sources import drawn_source
from runtime.timing import Effort, always, measure, ratio, stopwatch

EFFORT = Effort(seconds=3, count=200, warm_up=2, slices=10)
SLOWEST_PRE = 1.2
# What a network takes, how many boxes it answers with, and the milliseconds that reading them may take.
NETWORKS = {
    "YOLOP, letterbox 384x640, 1,000 candidates": (InputSpec((384, 640)), 1000, 2.0),
    "RMT-PPAD, stretch 640x640, 300 queries": (InputSpec((640, 640), "stretch", needs_nms=False), 300, 0.5),
}


def main() -> int:
    """Print two lines for each network."""
    missed = False
    picture = next(drawn_source().frames()).image
    for name, (spec, candidates, slowest_post) in NETWORKS.items():
        placed = fit(picture.shape[:2], spec.size, spec.resize)
        buffer = placed.image(picture)
        plain = np.empty((*placed.inner, 3), np.uint8)
        masks = np.zeros((1, *spec.size), np.uint8)
        outputs = Outputs(*street(candidates, size=spec.size), masks, masks)

        def resize(placed=placed, plain=plain) -> None:
            cv2.resize(picture, placed.inner[::-1], dst=plain, interpolation=placed.interpolation)

        def pre(spec=spec, buffer=buffer) -> None:
            fit(picture.shape[:2], spec.size, spec.resize).image(picture, buffer)

        def post(spec=spec, placed=placed, outputs=outputs) -> None:
            postprocess(outputs, 0, spec, placed)

        steps = [always(stopwatch(step)) for step in (resize, pre, post)]
        (bare, placing, last), _ = measure(steps, EFFORT)
        times = [float(np.median([lap.total for lap in course.laps])) for course in (bare, placing, last)]
        slower = 1 / ratio(placing, bare)["median"]
        print(f"{name}:")
        print(f"  pre-processing {times[1]:.2f} ms, cv2.resize {times[0]:.2f} ms: {slower:.2f} times as long")
        print(f"  post-processing {times[2]:.2f} ms")
        missed |= slower > SLOWEST_PRE or times[2] > slowest_post
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
