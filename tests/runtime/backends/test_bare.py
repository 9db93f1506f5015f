import time

import pytest

from runtime.backends.bare import open_bare


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
