"""A network that takes its time without using the processor, as one on a GPU does."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from perception.spec import Deployed, InputSpec
from perception.tasks import Outputs
from runtime.backends import Split


class Waiting:
    """A :class:`runtime.backends.Backend` that answers after ``milliseconds`` with a busy street's candidates.

    Args:
        milliseconds: of an inference.
        candidates: boxes it answers with, none suppressed yet.
    """

    kind = "onnx"
    path = Path("waiting")
    batch = 1

    def __init__(self, milliseconds: float, candidates: int = 1000):
        self.milliseconds = milliseconds
        self.info = Deployed("waiting", InputSpec((384, 640)), "fp32", 0, 0, "")
        masks = np.zeros((1, 384, 640), np.uint8)
        self._outputs = Outputs(*street(candidates), masks, masks)

    def infer(self, images: np.ndarray) -> Outputs:
        """Wait, then answer."""
        self.wait()
        return self._outputs

    def submit(self, images: np.ndarray) -> Callable[[], Outputs]:
        """Wait here: one frame is computed at a time."""
        outputs = self.infer(images)
        return lambda: outputs

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Wait, and say so."""
        return self.infer(images), Split(0.0, self.milliseconds, 0.0)

    def bound(self, images: np.ndarray) -> Callable[[], None]:
        """The waiting by itself."""
        return self.wait

    def describe(self) -> dict[str, str | int]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing to free."""

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def wait(self) -> None:
        """For as long as an inference takes."""
        time.sleep(self.milliseconds / 1000)


def street(candidates: int, objects: int = 20, size: tuple[int, int] = (384, 640)) -> tuple[np.ndarray, np.ndarray]:
    """Boxes float32 ``[1, candidates, 4]`` that crowd around some objects, and scores float32 ``[1, candidates]``."""
    rng = np.random.default_rng(0)
    height, width = size
    centres = rng.uniform((0, 0), (width, height), (objects, 2))[rng.integers(0, objects, candidates)]
    middle = centres + rng.normal(0, 4, (candidates, 2))
    half = rng.uniform(10, 40, (candidates, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    return boxes[None], rng.uniform(0.3, 1, (1, candidates)).astype(np.float32)
