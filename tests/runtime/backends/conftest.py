"""A GPU made of Python, to test what the TensorRT backend asks of one, and in which order.

Nothing put into its streams is done before somebody waits for it, and then no more than must be: a copy that does not
wait for the network finds the old bytes. Memory that was freed, and calls outside the active context, are errors. It
answers as ``network`` of the folder above does. It shows nothing of CUDA, of TensorRT, or of speed.
"""

import json
import threading
import weakref
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from perception.engine_file import EngineRecord, Source, Tensor, write_record
from perception.files import sha256
from perception.gpu import Gpu
from perception.spec import Deployed, InputSpec

SIZE = (64, 96)
BOXES = ((10, 10, 40, 50), (11, 10, 40, 50), (60, 20, 90, 60))
SCORES = (0.9, 0.8, 0.6)
VERSION = "10.3.0"
GPU = Gpu("A GPU of Python", "8.7", 16)
TENSORS = {
    "image": ((1, *SIZE, 3), "uint8"),
    "boxes": ((1, 3, 4), "float32"),
    "scores": ((1, 3), "float32"),
    "drivable": ((1, *SIZE), "uint8"),
    "drivable_mean": ((1,), "float32"),
    "lane": ((1, *SIZE), "uint8"),
    "lane_mean": ((1,), "float32"),
}

# As the engine inspector lists them.
LAYERS = [
    {"Name": "shared/node_a + shared/node_b", "Inputs": [{"Name": "image"}], "Outputs": [{"Name": "shared/b"}]},
    {"Name": "__myl_Add_0", "Inputs": [{"Name": "shared/b"}], "Outputs": [], "Metadata": "[ONNX Layer: lane/node_c]"},
]


class FakeDevice:
    """Stands in for :class:`runtime.backends.cuda.Device`.

    Attributes:
        alive: what was made and not freed yet.
        closed: whether the context was let go.
        memory: arrays by address on the GPU.
        streams: by handle, as long as somebody else holds them.
        made: streams, events and engines, likewise.
    """

    def __init__(self, mapped=False, captures=True):
        self.mapped = mapped
        self.captures = captures
        self.alive = set()
        self.closed = False
        self.memory = {}
        self.streams = weakref.WeakValueDictionary()
        self.made = weakref.WeakSet()
        self._active = threading.local()

    @contextmanager
    def active(self):
        assert not self.closed
        self._active.depth = getattr(self._active, "depth", 0) + 1
        try:
            yield
        finally:
            self._active.depth -= 1

    def check(self):
        assert getattr(self._active, "depth", 0), "outside the active context"

    def free_memory(self):
        self.check()
        return 10**9 - sum(memory.nbytes for memory in self.memory.values())

    def stream(self):
        self.check()
        stream = FakeStream(self)
        self.streams[stream.handle] = stream
        self.made.add(stream)
        return stream

    def event(self):
        self.check()
        event = FakeEvent(self)
        # As with pycuda, an event goes with its last reference.
        self.made.add(event)
        return event

    def buffer(self, shape, dtype):
        self.check()
        return FakeBuffer(self, shape, dtype)

    def graph(self, stream, enqueue):
        self.check()
        before, stream.operations = stream.operations, []
        enqueue()
        captured, stream.operations = stream.operations, before
        return FakeGraph(self, stream, captured) if self.captures else None

    def _forget_work(self):
        for stream in list(self.streams.values()):
            stream.operations.clear()  # which hold streams and events too

    def close(self):
        self._forget_work()
        assert not self.made, "something outlives the context"
        self.closed = True


class FakeStream:
    """Operations that are done when somebody waits; each answers whether it could be done."""

    def __init__(self, device):
        self.device = device
        self.handle = id(self)
        self.operations = []

    def put(self, operation):
        self.device.check()
        self.operations.append(operation)

    def wait_for_event(self, event):
        reached = event.recorded
        self.put(lambda: event.reach(reached))

    def synchronize(self):
        self.device.check()
        self.work_until(lambda: not self.operations)

    def work_until(self, done):
        while not done():
            self.operations.pop(0)()


class FakeEvent:
    def __init__(self, device):
        self.device = device
        self.recorded = self.reached = 0
        self.stream = None

    def record(self, stream):
        self.recorded += 1
        self.stream = stream
        mark = self.recorded
        stream.put(lambda: setattr(self, "reached", mark))

    def synchronize(self):
        self.device.check()
        self.reach(self.recorded)

    def reach(self, mark):
        if mark:
            self.stream.work_until(lambda: self.reached >= mark)


class FakeBuffer:
    def __init__(self, device, shape, dtype):
        self.device = device
        self.host = np.full(shape, 77, dtype)
        self._memory = self.host if device.mapped else np.full(shape, 99, dtype)
        self.address = id(self)
        device.memory[self.address] = self._memory
        device.alive.add(self)

    def upload(self, stream):
        self._copy(stream, self.host, self._memory)

    def download(self, stream):
        self._copy(stream, self._memory, self.host)

    def _copy(self, stream, source, target):
        if not self.device.mapped:
            stream.put(lambda: np.copyto(target, source))

    def free(self):
        self.device.check()
        self.device.alive.remove(self)
        del self.device.memory[self.address]
        # Whoever still looks at it sees that it is gone.
        self.host.fill(0)


class FakeGraph:
    def __init__(self, device, stream, operations):
        self.device, self.stream, self.operations = device, stream, operations
        self.launches = 0
        device.alive.add(self)

    def launch(self):
        self.launches += 1
        for operation in self.operations:
            self.stream.put(operation)

    def close(self):
        self.device.alive.remove(self)
        self.stream = None  # the real one has no more than its handle


class FakeContext:
    """An execution context, which takes the addresses set last when it is enqueued."""

    def __init__(self, device):
        self.device = device
        self.addresses = {}
        self.enqueued = 0
        self.works = True
        self.profiler = None

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, handle):
        self.enqueued += 1
        addresses = dict(self.addresses)
        self.device.streams[handle].put(lambda: self._compute(addresses))
        return self.works

    def _compute(self, addresses):
        if self.profiler is not None:
            for layer in LAYERS:
                self.profiler.report_layer_time(layer["Name"], 0.25)
        memory = {name: self.device.memory[address] for name, address in addresses.items()}
        bright = memory["image"].astype(np.float32).mean(axis=3)
        memory["boxes"][:] = BOXES
        memory["scores"][:] = SCORES
        memory["drivable"][:] = bright.astype(np.uint8)
        memory["lane"][:] = (255 - bright).astype(np.uint8)
        memory["drivable_mean"][:] = bright.mean()
        memory["lane_mean"][:] = 255 - bright.mean()


class FakeEngine:
    num_io_tensors = len(TENSORS)
    device_memory_size_v2 = 4096

    def __init__(self, context):
        self._context = context

    def create_execution_context(self):
        # The first is the library's, which tests look into; others come and go.
        context, self._context = self._context, FakeContext(self._context.device)
        return context

    def create_engine_inspector(self):
        return SimpleNamespace(get_engine_information=lambda form: json.dumps({"Layers": LAYERS, "Bindings": []}))

    def get_tensor_name(self, index):
        return list(TENSORS)[index]

    def get_tensor_shape(self, name):
        return TENSORS[name][0]

    def get_tensor_dtype(self, name):
        return TENSORS[name][1]


class FakeTensorRT:
    """Stands in for the module."""

    __name__ = "tensorrt"
    __version__ = VERSION
    ILogger = type("ILogger", (), {"Severity": Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO")})
    IProfiler = type("IProfiler", (), {})
    LayerInformationFormat = Enum("LayerInformationFormat", "ONELINE JSON")
    nptype = staticmethod(np.dtype)

    def __init__(self, device):
        self.context = FakeContext(device)

    def Runtime(self, logger):
        return SimpleNamespace(deserialize_cuda_engine=self._deserialize)

    def _deserialize(self, content):
        engine = FakeEngine(self.context) if content else None
        if engine is not None:
            self.context.device.made.add(engine)
        return engine


@pytest.fixture
def engine_file(tmp_path):
    """Writes an engine, of any bytes, with a record that tells the truth unless told otherwise."""

    def write(content=b"an engine", **changes) -> Path:
        path = tmp_path / "known.engine"
        path.write_bytes(content)
        source = {"onnx": "known.onnx", "onnx_sha256": "ab" * 32, "library": "tensorrt", "version": VERSION}
        source |= {"gpu": GPU.name, "compute_capability": GPU.compute_capability, "workspace_mib": None}
        tensors = tuple(Tensor(name, "output", kind, shape) for name, (shape, kind) in TENSORS.items())
        info = Deployed("known", InputSpec(SIZE), "fp16", 1500, 2_000_000, "cd" * 32)
        record = EngineRecord(Source(**source | changes), info, tensors, sha256(path), 1.0, "2026-11-23T12:00:00+00:00")
        write_record(path, record)
        return path

    return write


@pytest.fixture
def fake_gpu(monkeypatch):
    """Puts a GPU of Python under the TensorRT backend; returns it and the TensorRT that runs on it."""

    def use(**properties) -> tuple[FakeDevice, FakeTensorRT]:
        device = FakeDevice(**properties)
        library = FakeTensorRT(device)
        monkeypatch.setattr("runtime.backends.tensorrt.Device", lambda path: device)
        monkeypatch.setattr("runtime.backends.tensorrt.find_gpu", lambda: GPU)
        monkeypatch.setattr("runtime.backends.tensorrt.load", lambda name, path: library)
        return device, library

    return use
