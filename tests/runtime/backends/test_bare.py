import time

import pytest

from runtime.backends.bare import open_bare

TENSORS = {"image": ((1, 64, 96, 3), "uint8"), "lane": ((1, 64, 96), "uint8")}


def test_a_session_of_any_signature(network):
    with open_bare(network, "cpu", 1) as lap:
        first = lap()
        assert first.total > 0 and lap() is not first


def test_waiting_is_not_counted_with_one_thread(network, monkeypatch):
    onnxruntime = pytest.importorskip("onnxruntime")
    run = onnxruntime.InferenceSession.run_with_iobinding

    def disturbed(session, binding):
        time.sleep(0.05)
        run(session, binding)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run_with_iobinding", disturbed)
    with open_bare(network, "cpu", 1) as lap:
        assert lap().total < 50
    with open_bare(network, "cpu", 2) as lap:
        assert lap().total > 50


def test_an_engine(fake_gpu, engine_file, monkeypatch):
    """Whatever it answers: nobody compares its outputs with a network's."""
    device, library = fake_gpu()
    monkeypatch.setattr("runtime.backends.tensorrt.TensorRT._read_tensors", lambda self: TENSORS)
    monkeypatch.setattr(library.context, "_compute", lambda addresses: None)
    with open_bare(engine_file()) as lap:
        before = library.context.enqueued
        assert lap().total > 0
        assert library.context.enqueued >= before
    assert device.closed and not device.alive
