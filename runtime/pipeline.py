"""One frame in, what is seen in it out: the same three stages one after the other, or all at once on a stream."""

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from perception.errors import InputError
from perception.geometry import Fit, fit
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import Outputs, Prediction
from runtime.backends import Backend
from runtime.overlap import overlap

# Frames that may wait before each stage of a stream: enough to even out hiccups, few enough to stay current.
_DEPTH = 2


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        name: of the picture, unique within its source.
        image: uint8 ``[H, W, 3]`` RGB, native size.
    """

    name: str
    image: np.ndarray


@dataclass(frozen=True)
class Seen:
    """A frame, what was seen in it, and how it lay in the network's input."""

    frame: Frame
    prediction: Prediction
    fit: Fit


class Perceiver:
    """A backend with its pre- and post-processing.

    ``pre``, ``backend.infer`` and ``post`` are the stages; each may run in a thread of its own.
    """

    def __init__(self, backend: Backend):
        if backend.batch != 1:
            raise InputError(
                f"{backend.path}: takes {backend.batch} pictures at a time; frames come singly, export it with batch 1"
            )
        self.backend = backend
        # One that is written, one that is read, and those that wait in between.
        self._buffers = [_Buffer(backend.info.spec) for _ in range(_DEPTH + 2)]
        self._turn = 0

    def pre(self, image: np.ndarray) -> tuple[np.ndarray, Fit]:
        """Place uint8 ``[H, W, 3]`` in the network's input.

        Returns:
            uint8 ``[1, h, w, 3]``, good until the fourth call from here, and how the picture lies in it.
        """
        buffer = self._buffers[self._turn]
        self._turn = (self._turn + 1) % len(self._buffers)
        return buffer.write(image)

    def post(self, outputs: Outputs, placed: Fit) -> Prediction:
        """What the outputs for one frame say, boxes in native pixels."""
        return postprocess(outputs, 0, self.backend.info.spec, placed)

    def __call__(self, image: np.ndarray) -> Prediction:
        """Perceive one picture, uint8 ``[H, W, 3]`` RGB."""
        images, placed = self.pre(image)
        return self.post(self.backend.infer(images), placed)

    def stream(self, frames: Iterable[Frame]) -> Generator[Seen, None, None]:
        """Perceive frame after frame with all stages at work at the same time; results come in order."""

        def prepare(frame: Frame) -> tuple[Frame, np.ndarray, Fit]:
            return frame, *self.pre(frame.image)

        def infer(prepared: tuple[Frame, np.ndarray, Fit]) -> tuple[Frame, Outputs, Fit]:
            frame, images, placed = prepared
            return frame, self.backend.infer(images), placed

        def finish(inferred: tuple[Frame, Outputs, Fit]) -> Seen:
            frame, outputs, placed = inferred
            return Seen(frame, self.post(outputs, placed), placed)

        with closing(overlap(frames, (prepare, infer, finish), _DEPTH)) as results:
            yield from results


class _Buffer:
    """A network input that is written again and again; its padding is painted when the fit changes only."""

    def __init__(self, spec: InputSpec):
        self._spec = spec
        self._fit: Fit | None = None
        self._image: np.ndarray | None = None

    def write(self, image: np.ndarray) -> tuple[np.ndarray, Fit]:
        placed = fit(image.shape[:2], self._spec.size, self._spec.resize)
        if placed != self._fit:
            self._image = None
        self._image, self._fit = placed.image(image, self._image), placed
        return self._image[None], placed
