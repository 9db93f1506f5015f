"""Run an engine with TensorRT, or TensorRT-RTX, which has the same classes.

Copies in, the network and copies out each have a stream of their own, and a few inferences may be under way at a time:
while one is computed, the next is copied in and the one before copied out. Events keep their order.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from perception.engine_file import read_record
from perception.errors import InputError
from perception.gpu import find_gpu
from perception.tasks import Outputs
from perception.tensorrt_library import Journal, load
from runtime.backends import DeviceMemory, Split, TimedLayer
from runtime.backends.cuda import Device
from runtime.backends.engine_fit import check_fits
from runtime.backends.engine_layers import timed_layers
from runtime.backends.flight import Flight, Tensors
from runtime.backends.signature import INPUT, check_signature

# One that is copied in, one that is computed, one that is copied out.
_FLIGHTS = 3


class TensorRT:
    """See :class:`runtime.backends.Backend`; unlike others, it may be used by several threads at a time."""

    kind = "engine"

    def __init__(self, path: Path):
        self.path = path
        record = read_record(path)
        self.info = record.deployed
        self._library = record.source.library
        self._trt = load(self._library, path)
        self._gpu = find_gpu()
        check_fits(path, record, self._trt.__version__, self._gpu)
        self._journal = Journal(self._trt)
        # Work is put into the streams by one thread at a time.
        self._lock = threading.Lock()
        self._flights: list[Flight] = []
        self._bound: list[Flight] = []
        self._turn = 0
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._device: Device | None = Device(path)
        try:
            with self._active() as device:
                free = device.free_memory()
                self._copy_in, self._compute, self._copy_out = (device.stream() for _ in range(3))
                self._load()
                self._tensors = self._read_tensors()
                self.batch = self._check_signature()
                for _ in range(_FLIGHTS):
                    self._flights.append(self._new_flight(device))
                self._memory = self._taken(device, free)
        except BaseException:
            self.close()
            raise

    def infer(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 ``[batch, H, W, 3]``."""
        return self.submit(images)()

    def submit(self, images: np.ndarray) -> Callable[[], Outputs]:
        """Start on a batch, and return what waits for its answer; any thread may call that, or none."""
        self._check(images)
        with self._lock, self._active():
            flight = self._next()
            flight.upload(images, self._copy_in)
            flight.copied.record(self._copy_in)
            self._compute.wait_for_event(flight.copied)
            self._run(flight)
            flight.computed.record(self._compute)
            self._copy_out.wait_for_event(flight.computed)
            flight.download(self._copy_out)
            flight.answered.record(self._copy_out)
            return flight.answer(self._active)

    def timed(self, images: np.ndarray) -> tuple[Outputs, Split]:
        """Answer and say where the time went, one step after the other."""
        self._check(images)
        with self._lock, self._active():
            flight = self._next()
            flight.settle()
            start = perf_counter()
            flight.upload(images, self._copy_in)
            self._copy_in.synchronize()
            copied = perf_counter()
            self._run(flight)
            self._compute.synchronize()
            computed = perf_counter()
            flight.download(self._copy_out)
            self._copy_out.synchronize()
            outputs = flight.read()
            done = perf_counter()
        return outputs, Split((copied - start) * 1000, (computed - copied) * 1000, (done - computed) * 1000)

    def bound(self, images: np.ndarray) -> Callable[[], None]:
        """A call that only computes, in memory of its own until :meth:`close`."""
        self._check(images)
        with self._lock, self._active() as device:
            flight = self._new_flight(device)
            self._bound.append(flight)
            flight.upload(images, self._copy_in)
            self._copy_in.synchronize()

        def compute() -> None:
            with self._lock, self._active():
                self._run(flight)
                self._compute.synchronize()

        return compute

    def layers(self, images: np.ndarray, count: int) -> list[TimedLayer]:
        """Time the layers of the engine."""
        self._check(images)
        with self._lock, self._active():
            flight = self._next()
            flight.upload(images, self._copy_in)
            self._copy_in.synchronize()
            context = self._new_context()
            return timed_layers(
                self._trt, self._engine, context, lambda: self._enqueue(flight, context), self._compute, count
            )

    def memory(self) -> DeviceMemory:
        """As it was when the engine had been loaded."""
        return self._memory

    def describe(self) -> dict[str, str | int]:
        """Library and GPU, and how it is used."""
        return {
            self._library: self._trt.__version__,
            "gpu": str(self._gpu),
            "cuda_graph": "captured" if all(flight.graph for flight in self._flights) else "not captured",
            "memory": "shared with the GPU" if self._device and self._device.mapped else "copied to the GPU",
        }

    def close(self) -> None:
        """Wait for what is under way and free everything on the GPU; answers already asked for stay."""
        with self._lock:
            if self._device is None:
                return
            with self._active():
                for flight in self._flights + self._bound:
                    flight.settle()
                    flight.free()
                self._flights, self._bound = [], []
                # In this order, and while the context they need is active.
                self._context = self._engine = self._runtime = None
                self._copy_in = self._compute = self._copy_out = None
            self._device.close()
            self._device = None

    def __enter__(self) -> "TensorRT":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @contextmanager
    def _active(self) -> Iterator[Device]:
        if self._device is None:
            raise ValueError(f"{self.path}: is closed")
        with self._device.active():
            yield self._device

    def _load(self) -> None:
        self._runtime = self._journal.start(self._trt.Runtime, self.path)
        self._engine = self._runtime.deserialize_cuda_engine(self.path.read_bytes())
        self._context = self._new_context()

    def _new_context(self) -> Any:
        context = self._engine.create_execution_context() if self._engine else None
        if context is None:
            raise InputError(f"{self.path}: cannot be run: {self._journal.cause()}")
        return context

    def _taken(self, device: Device, free: int) -> DeviceMemory:
        """Of the memory that was ``free`` before."""
        return DeviceMemory(max(0, free - device.free_memory()), self._engine.device_memory_size_v2, device.mapped)

    def _read_tensors(self) -> Tensors:
        engine = self._engine
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return {
            name: (tuple(engine.get_tensor_shape(name)), np.dtype(self._trt.nptype(engine.get_tensor_dtype(name))))
            for name in names
        }

    def _check_signature(self) -> int:
        values = {name: (str(dtype), shape) for name, (shape, dtype) in self._tensors.items()}
        inputs = {name: value for name, value in values.items() if name == INPUT}
        outputs = {name: value for name, value in values.items() if name != INPUT}
        return check_signature(self.path, inputs, outputs, self.info.spec)

    def _new_flight(self, device: Device) -> Flight:
        flight = Flight(device, self._tensors)
        try:
            # TensorRT wants to have run once before it is captured.
            self._enqueue(flight, self._context)
            self._compute.synchronize()
            flight.graph = device.graph(self._compute, lambda: self._enqueue(flight, self._context))
        except BaseException:
            flight.free()
            raise
        return flight

    def _next(self) -> Flight:
        flight = self._flights[self._turn]
        self._turn = (self._turn + 1) % len(self._flights)
        return flight

    def _run(self, flight: Flight) -> None:
        if flight.graph:
            flight.graph.launch()
        else:
            self._enqueue(flight, self._context)

    def _enqueue(self, flight: Flight, context: Any) -> None:
        for name, buffer in flight.buffers.items():
            context.set_tensor_address(name, buffer.address)
        if not context.execute_async_v3(self._compute.handle):
            raise RuntimeError(f"{self.path}: TensorRT stopped: {self._journal.cause()}")

    def _check(self, images: np.ndarray) -> None:
        shape, dtype = self._tensors[INPUT]
        if images.shape != shape or images.dtype != dtype:
            raise ValueError(f"expected {dtype} {shape}, got {images.dtype} {images.shape}")
