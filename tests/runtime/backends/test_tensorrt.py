"""The order of work, and what is left behind, on a GPU of Python; see conftest.py for what this shows and what not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from perception.errors import InputError
from runtime.backends import DeviceMemory, TimedLayer, open_backend
from runtime.backends import tensorrt as tensorrt_backend
from runtime.backends.flight import Flight
from runtime.backends.tensorrt import TensorRT

SHAPE = (1, 64, 96, 3)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8)


def brightness(images):
    return images.astype(np.float32).mean(axis=3).astype(np.uint8)


@pytest.fixture(params=[(False, True), (False, False), (True, True)], ids=["graph", "no graph", "shared memory"])
def gpu(request, fake_gpu):
    mapped, captures = request.param
    return fake_gpu(mapped=mapped, captures=captures)


def test_more_answers_under_way_than_there_is_memory_for(gpu, engine_file):
    with TensorRT(engine_file()) as backend:
        images = picture()
        answers = []
        for seed in range(8):
            np.copyto(images, picture(seed))  # taken at once: it may be written again
            answers.append(backend.submit(images))
        for seed in reversed(range(8)):
            np.testing.assert_array_equal(answers[seed]().drivable, brightness(picture(seed)))


def test_nothing_is_waited_for_before_it_is_asked_for(fake_gpu, engine_file):
    device, _ = fake_gpu()
    with TensorRT(engine_file()) as backend:
        answer = backend.submit(picture(1))
        assert sum(len(stream.operations) for stream in device.streams.values()) > 5
        first = answer()
        assert not any(stream.operations for stream in device.streams.values())
        assert answer() is first


def test_each_direction_and_the_network_have_a_stream_of_their_own(fake_gpu, engine_file):
    device, _ = fake_gpu()
    with TensorRT(engine_file()) as backend:
        backend.submit(picture(1))
        # A copy and a mark; a wait, the network and a mark; a wait, six copies and a mark.
        assert sorted(len(stream.operations) for stream in device.streams.values()) == [2, 3, 8]


def test_shared_memory_is_not_copied(fake_gpu, engine_file):
    device, _ = fake_gpu(mapped=True)
    with TensorRT(engine_file()) as backend:
        backend.submit(picture(1))
        assert sorted(len(stream.operations) for stream in device.streams.values()) == [1, 2, 3]
        assert backend.describe()["memory"] == "shared with the GPU"


def test_threads_get_their_own_answers(gpu, engine_file):
    with TensorRT(engine_file()) as backend, ThreadPoolExecutor(4) as pool:
        lock = threading.Lock()  # the streams of the fake are no threads: they are worked on by whoever waits

        def ask(seed):
            with lock:
                answer = backend.submit(picture(seed))
            with lock:
                return answer().lane

        for seed, lane in enumerate(pool.map(ask, range(24))):
            np.testing.assert_array_equal(lane, (255 - picture(seed).astype(np.float32).mean(axis=3)).astype(np.uint8))


def test_one_thread_at_a_time_puts_work_into_the_streams(fake_gpu, engine_file, monkeypatch):
    _, library = fake_gpu(captures=False)
    entered, kind = threading.Lock(), type(library.context)

    def execute(context, handle, execute=kind.execute_async_v3):
        assert entered.acquire(blocking=False), "two threads at a time"
        time.sleep(0.002)
        entered.release()
        return execute(context, handle)

    monkeypatch.setattr(kind, "execute_async_v3", execute)
    with TensorRT(engine_file()) as backend, ThreadPoolExecutor(4) as pool:
        compute = backend.bound(picture())
        waiting = [pool.submit(backend.submit, picture(seed)) for seed in range(6)]
        others = [pool.submit(compute) for _ in range(6)]
        others += [pool.submit(backend.timed, picture(9)) for _ in range(6)]
        others += [pool.submit(backend.bound, picture(9)), pool.submit(backend.layers, picture(9), 6)]
        for other in others:
            other.result()
        for seed, answer in enumerate(waiting):
            np.testing.assert_array_equal(answer.result()().drivable, brightness(picture(seed)))


def test_threads_that_wait_for_the_same_answer_get_the_same(fake_gpu, engine_file, monkeypatch):
    fake_gpu()
    read = []

    def slowly(flight, outputs=Flight.read):
        read.append(flight)
        time.sleep(0.02)
        return outputs(flight)

    with TensorRT(engine_file()) as backend, ThreadPoolExecutor(2) as pool:
        answer = backend.submit(picture(1))
        monkeypatch.setattr(Flight, "read", slowly)
        first, second = pool.map(lambda _: answer(), range(2))
    assert first is second and len(read) == 1


def test_a_captured_network_is_launched_and_not_put_together_again(fake_gpu, engine_file):
    _, library = fake_gpu()
    with TensorRT(engine_file()) as backend:
        before = library.context.enqueued
        for seed in range(5):
            backend.infer(picture(seed))
        assert library.context.enqueued == before
        assert backend.describe()["cuda_graph"] == "captured"


def test_a_network_that_cannot_be_captured_runs_all_the_same(fake_gpu, engine_file):
    _, library = fake_gpu(captures=False)
    with TensorRT(engine_file()) as backend:
        before = library.context.enqueued
        backend.infer(picture())
        assert library.context.enqueued == before + 1
        assert backend.describe()["cuda_graph"] == "not captured"


def test_a_bound_batch_is_not_disturbed_by_others(gpu, engine_file):
    device, library = gpu
    with TensorRT(engine_file()) as backend:
        compute = backend.bound(picture(1))
        bound = dict(library.context.addresses)
        for seed in range(2, 6):
            backend.infer(picture(seed))
        compute()
        np.testing.assert_array_equal(device.memory[bound["drivable"]], brightness(picture(1)))


def test_closing_frees_everything_and_keeps_what_was_asked_for(gpu, engine_file):
    device, _ = gpu
    backend = TensorRT(engine_file())
    backend.bound(picture())
    answer = backend.submit(picture(3))
    with ThreadPoolExecutor(1) as another_thread:
        another_thread.submit(backend.close).result()
    assert device.alive == set()
    assert device.closed
    np.testing.assert_array_equal(answer().drivable, brightness(picture(3)))
    backend.close()
    with pytest.raises(ValueError, match="is closed"):
        backend.infer(picture())


@pytest.mark.parametrize("after", range(12))
def test_nothing_is_left_where_opening_fails_halfway(fake_gpu, engine_file, monkeypatch, after):
    device, _ = fake_gpu()
    buffers = iter(range(after))
    make = device.buffer

    def run_out(*arguments):
        if next(buffers, None) is None:
            raise MemoryError
        return make(*arguments)

    monkeypatch.setattr(device, "buffer", run_out)
    with pytest.raises(MemoryError):
        TensorRT(engine_file())
    assert device.alive == set()
    assert device.closed


def test_an_engine_that_stops(fake_gpu, engine_file):
    device, library = fake_gpu(captures=False)
    with TensorRT(engine_file()) as backend:
        library.context.works = False
        with pytest.raises(RuntimeError, match="TensorRT stopped"):
            backend.infer(picture())
    assert device.alive == set()


def test_an_engine_that_its_library_refuses(fake_gpu, engine_file):
    device, _ = fake_gpu()
    with pytest.raises(InputError, match="cannot be run"):
        TensorRT(engine_file(content=b""))
    assert device.closed


def test_an_engine_of_another_machine_is_not_even_tried(fake_gpu, engine_file):
    device, _ = fake_gpu()
    with pytest.raises(InputError, match=r"built by tensorrt 10\.16\.1, here is 10\.3\.0"):
        TensorRT(engine_file(version="10.16.1"))
    assert not device.streams


def test_a_library_that_does_not_start(fake_gpu, engine_file, monkeypatch):
    device, library = fake_gpu()

    def refuse(logger):
        raise TypeError("factory function returned nullptr")

    monkeypatch.setattr(library, "Runtime", refuse)
    with pytest.raises(InputError, match=r"known\.engine: tensorrt 10\.3\.0 does not start"):
        TensorRT(engine_file())
    assert device.closed


def test_another_signature(fake_gpu, engine_file, monkeypatch):
    fake_gpu()
    monkeypatch.setattr(tensorrt_backend, "INPUT", "picture")
    with pytest.raises(InputError, match="expected image"):
        TensorRT(engine_file())


def test_a_batch_of_another_shape_is_a_mistake_of_the_caller(fake_gpu, engine_file):
    fake_gpu()
    with TensorRT(engine_file()) as backend, pytest.raises(ValueError, match="expected uint8"):
        backend.submit(np.zeros((2, 64, 96, 3), np.uint8))


def test_is_opened_by_its_suffix(fake_gpu, engine_file):
    fake_gpu()
    with open_backend(engine_file()) as backend:
        assert (backend.kind, backend.batch, backend.info.precision) == ("engine", 1, "fp16")
        assert backend.describe()["tensorrt"] == "10.3.0"
    with pytest.raises(InputError, match="--provider cpu: an engine runs in TensorRT"):
        open_backend(engine_file(), "cpu")


def test_times_are_told_apart(gpu, engine_file):
    with TensorRT(engine_file()) as backend:
        outputs, split = backend.timed(picture(2))
    np.testing.assert_array_equal(outputs.drivable, brightness(picture(2)))
    assert min(split.copy_in, split.compute, split.copy_out) > 0


def test_layers_are_timed_by_the_library(fake_gpu, engine_file):
    _, library = fake_gpu()
    with TensorRT(engine_file()) as backend:
        before = library.context.enqueued
        joined, renamed = backend.layers(picture(), 4)
        # In a context of its own: what was captured stays as it is.
        assert library.context.profiler is None and library.context.enqueued == before
        np.testing.assert_array_equal(backend.infer(picture(1)).drivable, brightness(picture(1)))
    assert joined == TimedLayer("shared/node_a + shared/node_b", ("", "shared/b", "image"), [0.25] * 4)
    assert renamed.says[0] == "[ONNX Layer: lane/node_c]"


def test_layers_that_there_is_no_memory_for_and_layers_that_stop(fake_gpu, engine_file, monkeypatch):
    _, library = fake_gpu()
    kind = type(library.context)
    with TensorRT(engine_file()) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(kind, "execute_async_v3", lambda context, handle: False)
            with pytest.raises(RuntimeError, match="TensorRT stopped"):
                backend.layers(picture(), 4)
        monkeypatch.setattr(type(backend._engine), "create_execution_context", lambda engine: None)
        with pytest.raises(InputError, match=r"known\.engine: cannot be run"):
            backend.layers(picture(), 4)


def test_memory_is_what_is_no_longer_free(fake_gpu, engine_file):
    device, _ = fake_gpu(mapped=True)
    with TensorRT(engine_file()) as backend:
        held = sum(memory.nbytes for memory in device.memory.values())
        assert backend.memory() == DeviceMemory(held, 4096, shared=True)
