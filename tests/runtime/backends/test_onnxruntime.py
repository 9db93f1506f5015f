import sys

import numpy as np
import pytest

from perception.errors import InputError
from perception.spec import ONNX_METADATA_KEY, Deployed, InputSpec
from perception.tasks import TASKS
from runtime.backends import open_backend
from runtime.backends.onnxruntime import DeviceBinding

SHAPE = (1, 64, 96, 3)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8)


def brightness(images):
    return images.astype(np.float32).mean(axis=3).astype(np.uint8)


def test_answers(network):
    with open_backend(network, "cpu") as backend:
        images = picture()
        outputs = backend.infer(images)
    assert outputs.boxes.shape == (1, 3, 4)
    assert outputs.boxes.dtype == outputs.scores.dtype == np.float32
    np.testing.assert_allclose(outputs.scores, [[0.9, 0.8, 0.6]])
    assert outputs.drivable.dtype == outputs.lane.dtype == np.uint8
    np.testing.assert_allclose(outputs.drivable.astype(int), brightness(images), atol=1)


def test_knows_what_it_is(network):
    with open_backend(network) as backend:
        assert backend.kind == "onnx"
        assert backend.batch == 1
        assert backend.info.network == "known"
        assert backend.info.spec == InputSpec((64, 96))
        facts = backend.describe()
    assert facts["provider"] in facts["providers"]
    assert facts["threads"] == "automatic"


def test_answers_are_kept_when_the_next_inference_runs(network):
    with open_backend(network, "cpu") as backend:
        first = backend.infer(picture(1))
        before = first.drivable.copy()
        backend.infer(picture(2))
    np.testing.assert_array_equal(first.drivable, before)


def test_on_the_cpu_nothing_is_copied(network):
    with open_backend(network, "cpu") as backend:
        _, split = backend.timed(picture())
    assert split.copy_in is None
    assert split.copy_out is None
    assert split.compute > 0


def test_a_device_answers_like_the_cpu(network):
    # The binding that serves CUDA, on the one device that is always there.
    import onnxruntime

    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    binding = DeviceBinding(onnxruntime, session, SHAPE, TASKS, "cpu")
    with open_backend(network, "cpu") as backend:
        for seed in range(3):
            outputs, split = binding.timed(picture(seed))
            expected = backend.infer(picture(seed))
            for name in ("boxes", "scores", "drivable", "lane"):
                np.testing.assert_array_equal(getattr(outputs, name), getattr(expected, name))
            assert min(split.copy_in, split.compute, split.copy_out) > 0


def test_bound_call_computes_again_and_again(network):
    with open_backend(network, "cpu") as backend:
        compute = backend.bound(picture())
        for _ in range(3):
            compute()


def test_threads(network):
    with open_backend(network, "cpu", threads=1) as backend:
        assert backend.describe()["threads"] == 1


@pytest.mark.parametrize("batch", [2, "N"])
def test_batch_of_the_file(export_onnx, tmp_path, batch):
    path = export_onnx(tmp_path / "batch.onnx", batch=batch)
    with open_backend(path, "cpu") as backend:
        assert backend.batch == (2 if batch == 2 else 1)
        images = np.repeat(picture(), backend.batch, axis=0)
        assert backend.infer(images).lane.shape == (backend.batch, 64, 96)


def test_a_batch_of_another_shape_is_a_mistake_of_the_caller(network):
    with open_backend(network, "cpu") as backend:
        with pytest.raises(ValueError, match="expected uint8"):
            backend.infer(np.zeros((2, 64, 96, 3), np.uint8))
        with pytest.raises(ValueError, match="expected uint8"):
            backend.infer(np.zeros(SHAPE, np.float32))


def deployed(size):
    return Deployed("known", InputSpec(size), "fp32", 1, 1, "")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"metadata": {}}, "not written by this project"),
        ({"metadata": {ONNX_METADATA_KEY: "{"}}, "metadata is malformed"),
        ({"metadata": {ONNX_METADATA_KEY: "[]"}}, "metadata is malformed"),
        ({"metadata": {ONNX_METADATA_KEY: '{"format": 99}'}}, "metadata is malformed"),
        ({"image_kind": 1}, "image is float32"),
        ({"lane": "lines"}, "expected image to boxes, scores, drivable, drivable_mean, lane"),
        ({"info": deployed((32, 32))}, r"expected uint8 \[1, 32, 32, 3\]"),
    ],
)
def test_files_of_another_tool_are_refused(export_onnx, tmp_path, changes, fault):
    path = export_onnx(tmp_path / "other.onnx", **changes)
    with pytest.raises(InputError, match=fault) as refused:
        open_backend(path, "cpu")
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not a network", None])
def test_broken_files_are_refused(network, tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(network.read_bytes()[:400] if content is None else content)
    with pytest.raises(InputError, match=r"cannot open it|not an ONNX file") as refused:
        open_backend(path, "cpu")
    assert "\n" not in str(refused.value)


def test_a_provider_that_is_not_there(network):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(InputError, match="--provider cuda: this onnxruntime has only"):
        open_backend(network, "cuda")
    with open_backend(network, "auto") as backend:
        assert backend.provider == "CPUExecutionProvider"


def test_without_onnxruntime(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        open_backend(network)


@pytest.mark.gpu
def test_cuda_answers_like_the_cpu(network):
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA")
    with open_backend(network, "cuda") as backend, open_backend(network, "cpu") as reference:
        outputs, split = backend.timed(picture())
        expected = reference.infer(picture())
        np.testing.assert_array_equal(outputs.boxes, expected.boxes)
        np.testing.assert_allclose(outputs.lane.astype(int), expected.lane, atol=1)
        assert min(split.copy_in, split.compute, split.copy_out) > 0
