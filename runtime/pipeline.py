"""One frame in, what is seen in it out: the same three stages one after the other, or all at once on a stream."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from perception.errors import InputError
from perception.faults import OutputFaults
from perception.geometry import PAD_COLOUR, Fit, fit
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import Outputs, Prediction
from runtime.backends import Backend
from runtime.overlap import overlap

# Frames that may wait before each stage: enough to even out hiccups where every frame counts, no more than the newest
# where freshness does.
_DEPTH, _FRESHEST = 2, 1


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        name: of the picture, unique within its source.
        image: uint8 ``[H, W, 3]`` RGB, native size.
        came: when, in seconds of the clock that paces the source; 0 where nothing does.
    """

    name: str
    image: np.ndarray
    came: float = 0.0


class SourceLost(InputError):
    """The source of frames has ended, stalled or broken in the middle; what was seen until then counts."""


@dataclass(frozen=True)
class Seen:
    """A frame, what was seen in it, and how it lay in the network's input."""

    frame: Frame
    prediction: Prediction
    fit: Fit


def check_single(backend: Backend) -> Backend:
    """``backend``; raises :class:`InputError` where it takes several pictures at a time, since frames come singly."""
    if backend.batch != 1:
        raise InputError(
            f"{backend.path}: takes {backend.batch} pictures at a time; frames come singly, export it with batch 1"
        )
    return backend


class Perceiver:
    """A backend with its pre- and post-processing.

    Attributes:
        faults: the frames for which the network's outputs were not all finite; raises InputError where they pile up.
    """

    def __init__(self, backend: Backend):
        self.backend = check_single(backend)
        self.faults = OutputFaults()
        self._buffer = _Buffer(backend.info.spec)

    def pre(self, image: np.ndarray) -> tuple[np.ndarray, Fit]:
        """Place uint8 ``[H, W, 3]`` in the network's input.

        Returns:
            uint8 ``[1, h, w, 3]``, good until the next call, and how the picture lies in it.
        """
        return self._buffer.write(image)

    def post(self, outputs: Outputs, frame: Frame, placed: Fit) -> Prediction:
        """What the outputs for ``frame`` say, boxes in native pixels."""
        prediction = postprocess(outputs, 0, self.backend.info.spec, placed)
        self.faults.look(frame.name, prediction)
        return prediction

    def __call__(self, frame: Frame) -> Seen:
        """Perceive one picture."""
        images, placed = self.pre(frame.image)
        return Seen(frame, self.post(self.backend.infer(images), frame, placed), placed)

    def stream(
        self, frames: Iterable[Frame], drop: Callable[[Frame], None] | None = None
    ) -> Generator[Seen, None, None]:
        """Perceive frame after frame with all stages at work at the same time; results come in order.

        Args:
            frames: to look at; read in a thread of its own.
            drop: None has every frame wait for its turn. Where given, a newer frame takes the place of one that waits,
                at every stage, and ``drop`` is told of the older: results are as fresh as they can be.
        """
        stages = _Stages(self)
        if drop is None:
            results = overlap(frames, (stages.prepare, stages.start, stages.finish), _DEPTH)
        else:
            # A frame begun while another is computed would be old when its turn comes.
            fresh = (stages.prepare, stages.infer, stages.finish)
            results = overlap(frames, fresh, _FRESHEST, lambda item: drop(stages.give_up(item)))
        with closing(results):
            yield from results


@dataclass(frozen=True)
class _Prepared:
    """A frame that lies in a buffer."""

    frame: Frame
    fit: Fit
    buffer: "_Buffer"


@dataclass(frozen=True)
class _Started:
    """A frame that the network has taken; ``answer`` waits for what it says."""

    frame: Frame
    fit: Fit
    answer: Callable[[], Outputs]


class _Stages:
    """What one stream does with a frame, step by step, and the buffers that go round between the steps."""

    def __init__(self, perceiver: Perceiver):
        self._perceiver = perceiver
        self._backend = perceiver.backend
        # One that is written, one that is read, and those that wait in between.
        self._free = deque(_Buffer(self._backend.info.spec) for _ in range(_DEPTH + 2))

    def prepare(self, frame: Frame) -> _Prepared:
        buffer = self._free.popleft()
        _, placed = buffer.write(frame.image)
        return _Prepared(frame, placed, buffer)

    def start(self, prepared: _Prepared) -> _Started:
        answer = self._backend.submit(prepared.buffer.images)
        self._free.append(prepared.buffer)
        return _Started(prepared.frame, prepared.fit, answer)

    def infer(self, prepared: _Prepared) -> _Started:
        started = self.start(prepared)
        outputs = started.answer()
        return replace(started, answer=lambda: outputs)

    def finish(self, started: _Started) -> Seen:
        prediction = self._perceiver.post(started.answer(), started.frame, started.fit)
        return Seen(started.frame, prediction, started.fit)

    def give_up(self, item: Frame | _Prepared | _Started | Seen) -> Frame:
        """Take back what belongs to a frame that a newer one replaces."""
        if isinstance(item, _Prepared):
            self._free.append(item.buffer)
        return item if isinstance(item, Frame) else item.frame


class _Buffer:
    """A network input that is written again and again; its padding is painted when the fit changes only.

    Attributes:
        images: uint8 ``[1, h, w, 3]``, what was written last.
    """

    def __init__(self, spec: InputSpec):
        self._spec = spec
        self._fit: Fit | None = None
        self.images = np.empty((1, *spec.size, 3), np.uint8)

    def write(self, image: np.ndarray) -> tuple[np.ndarray, Fit]:
        placed = fit(image.shape[:2], self._spec.size, self._spec.resize)
        if placed != self._fit:
            self.images[:] = PAD_COLOUR
            self._fit = placed
        placed.image(image, self.images[0])
        return self.images, placed
