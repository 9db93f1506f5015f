"""One inference on its way through the GPU: its memory, its marks in the streams, its answer."""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np

from perception.tasks import Outputs
from runtime.backends.cuda import Buffer, Device, Event, Stream
from runtime.backends.cuda_graph import Graph
from runtime.backends.signature import INPUT

Tensors = Mapping[str, tuple[tuple[int, ...], np.dtype]]
Active = Callable[[], AbstractContextManager[object]]


class Flight:
    """What one inference at a time needs.

    Args:
        device: the GPU, active in this thread.
        tensors: shape and type of the input and all outputs, by name.

    Attributes:
        buffers: memory by name.
        copied: reached when the input is on the GPU.
        computed: when the network is done.
        answered: when the outputs are on the host.
        graph: the captured network, where it could be.
    """

    def __init__(self, device: Device, tensors: Tensors):
        self.buffers: dict[str, Buffer] = {}
        self.copied: Event = device.event()
        self.computed: Event = device.event()
        self.answered: Event = device.event()
        self.graph: Graph | None = None
        self._answer: Answer | None = None
        try:
            for name, (shape, dtype) in tensors.items():
                self.buffers[name] = device.buffer(shape, dtype)
        except BaseException:
            self.free()
            raise

    def upload(self, images: np.ndarray, stream: Stream) -> None:
        """Take the batch and send it to the GPU; the answer before is kept for whoever asks for it."""
        self.settle()
        np.copyto(self.buffers[INPUT].host, images)
        self.buffers[INPUT].upload(stream)

    def download(self, stream: Stream) -> None:
        """Fetch all outputs."""
        for name, buffer in self.buffers.items():
            if name != INPUT:
                buffer.download(stream)

    def read(self) -> Outputs:
        """The outputs fetched last, in arrays of the caller's."""
        return Outputs(**{name: buffer.host.copy() for name, buffer in self.buffers.items() if name != INPUT})

    def answer(self, active: Active) -> "Answer":
        """The answer that is on its way."""
        self._answer = Answer(self, active)
        return self._answer

    def settle(self) -> None:
        """Wait for the answer that is on its way, so that this memory may be used again."""
        if self._answer is not None:
            self._answer()
            self._answer = None

    def free(self) -> None:
        """Give everything back, in the active context."""
        if self.graph is not None:
            self.graph.close()
        for buffer in self.buffers.values():
            buffer.free()
        # Gone with the last reference, which must not outlive the context.
        self.copied = self.computed = self.answered = None


class Answer:
    """The outputs of one inference, waited for when first asked for. Any thread may ask, any number of times."""

    def __init__(self, flight: Flight, active: Active):
        self._flight: Flight | None = flight
        self._active = active
        self._outputs = Outputs()
        self._lock = threading.Lock()

    def __call__(self) -> Outputs:
        with self._lock:
            if self._flight is not None:
                with self._active():
                    self._flight.answered.synchronize()
                self._outputs = self._flight.read()
                self._flight = None
        return self._outputs
