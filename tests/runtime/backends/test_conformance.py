"""What every backend promises, on the same network with known answers.

``tensorrt on python`` is this project's TensorRT backend on the GPU of conftest.py: it shows the backend's own logic.
``tensorrt``, ``tensorrt-rtx`` and ``cuda`` are the real thing and need a GPU.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from perception.gpu import find_gpu
from runtime.backends import open_backend

SHAPE = (1, 64, 96, 3)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8)


def _onnxruntime(request):
    return open_backend(request.getfixturevalue("network"), "cpu")


def _tensorrt_on_python(request):
    request.getfixturevalue("fake_gpu")()
    return open_backend(request.getfixturevalue("engine_file")())


def _cuda(request):
    onnxruntime = pytest.importorskip("onnxruntime")
    if find_gpu() is None or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("needs an NVIDIA GPU and onnxruntime-gpu")
    return open_backend(request.getfixturevalue("network"), "cuda")


def _tensorrt(request):
    return _built("tensorrt", request)


def _tensorrt_rtx(request):
    return _built("tensorrt-rtx", request)


def _built(library, request):
    pytest.importorskip(library.replace("-", "_"))
    pytest.importorskip("pycuda")
    from export.engine import Options, build_engine

    if find_gpu() is None:
        pytest.skip("needs an NVIDIA GPU")
    out = request.getfixturevalue("tmp_path") / "known.engine"
    build_engine(request.getfixturevalue("network"), out, Options(library))
    return open_backend(out)


@pytest.fixture(
    params=[
        pytest.param(_onnxruntime, id="onnxruntime"),
        pytest.param(_tensorrt_on_python, id="tensorrt on python"),
        pytest.param(_cuda, id="cuda", marks=pytest.mark.gpu),
        pytest.param(_tensorrt, id="tensorrt", marks=pytest.mark.gpu),
        pytest.param(_tensorrt_rtx, id="tensorrt-rtx", marks=pytest.mark.gpu),
    ]
)
def backend(request):
    with request.param(request) as opened:
        yield opened


def agrees(outputs, images) -> bool:
    bright = images.astype(np.float32).mean(axis=3)
    np.testing.assert_allclose(outputs.boxes[0, 2], [60, 20, 90, 60])
    np.testing.assert_allclose(outputs.scores, [[0.9, 0.8, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(outputs.drivable, bright, atol=1.01)
    np.testing.assert_allclose(outputs.lane, 255 - bright, atol=1.01)
    kinds = [array.dtype for array in (outputs.boxes, outputs.scores, outputs.drivable, outputs.lane)]
    return kinds == [np.float32, np.float32, np.uint8, np.uint8]


def test_says_what_it_is(backend):
    assert backend.kind == {".onnx": "onnx", ".engine": "engine"}[backend.path.suffix]
    assert backend.batch == 1
    assert (backend.info.network, backend.info.spec.size) == ("known", (64, 96))
    facts = backend.describe()
    assert facts and all(isinstance(value, str | int) for value in facts.values())


def test_answers(backend):
    assert agrees(backend.infer(picture(1)), picture(1))


def test_answers_belong_to_the_caller(backend):
    outputs = [backend.infer(picture(seed)) for seed in range(5)]
    for seed, output in enumerate(outputs):
        assert agrees(output, picture(seed))
        output.lane.fill(0)
    assert agrees(backend.infer(picture(9)), picture(9))


def test_batches_taken_ahead(backend):
    images = picture(0)
    waiting = []
    for seed in range(5):
        np.copyto(images, picture(seed))
        waiting.append(backend.submit(images))
    for seed, answer in enumerate(waiting):
        assert agrees(answer(), picture(seed))


def test_an_answer_nobody_asks_for_is_in_nobodys_way(backend):
    for seed in range(7):
        backend.submit(picture(seed))
    assert agrees(backend.infer(picture(8)), picture(8))


def test_another_thread_may_wait_for_an_answer_and_take_the_backend_over(backend):
    with ThreadPoolExecutor(1) as other:
        waiting = [backend.submit(picture(seed)) for seed in range(5)]
        for seed, answer in enumerate(waiting):
            assert agrees(other.submit(answer).result(), picture(seed))
        assert agrees(other.submit(backend.infer, picture(6)).result(), picture(6))
        other.submit(backend.close).result()


def test_timed_answers_too(backend):
    outputs, split = backend.timed(picture(2))
    assert agrees(outputs, picture(2))
    assert split.compute > 0
    assert all(time is None or time > 0 for time in (split.copy_in, split.copy_out))


def test_bound_computes_again_and_again_and_disturbs_nothing(backend):
    compute = backend.bound(picture(3))
    for seed in range(3):
        compute()
        assert agrees(backend.infer(picture(seed)), picture(seed))


@pytest.mark.parametrize("images", [np.zeros((2, *SHAPE[1:]), np.uint8), np.zeros(SHAPE, np.float32)])
def test_another_shape_or_type_is_a_mistake_of_the_caller(backend, images):
    for ask in (backend.infer, backend.submit, backend.timed):
        with pytest.raises(ValueError, match="expected uint8"):
            ask(images)


def test_can_be_closed_twice(backend):
    backend.infer(picture())
    backend.close()
    backend.close()
