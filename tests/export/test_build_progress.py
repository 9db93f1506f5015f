import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from export.build_progress import Phases, watched_build
from perception.stop import Terminated

TRT = SimpleNamespace(IProgressMonitor=type("IProgressMonitor", (), {}))


def test_share_of_phases_within_phases():
    phases = Phases()
    phases.start("build", None, 4)
    assert phases.share("build") == 0
    phases.step("build", 0)
    assert phases.share("build") == 0.25
    phases.start("time", "build", 10)
    phases.step("time", 4)
    assert phases.text("time") == "time 5/10"
    assert phases.share("time") == pytest.approx((1 + 0.5) / 4)
    phases.start("kernels", "time", 2)
    phases.step("kernels", 0)
    assert phases.share("kernels") == pytest.approx((1 + 5.5 / 10) / 4)
    phases.finish("kernels")
    phases.finish("time")
    phases.step("build", 3)
    assert phases.share("build") == 1


def test_a_step_of_a_phase_that_is_over_is_no_fault():
    # An exception would be taken for the wish to end the build.
    phases = Phases()
    phases.start("time", None, 2)
    phases.finish("time")
    phases.step("time", 1)
    assert (phases.share("time"), phases.text("time")) == (0, "time")


def test_steps_of_several_threads_are_counted_one_after_the_other(capsys, monkeypatch):
    def slow_text(phases, phase):
        time.sleep(0.02)
        return phase

    class InThreads:
        def build_serialized_network(self, network, config):
            monitor = config.progress_monitor
            monitor.phase_start("time", None, 2)
            with ThreadPoolExecutor(4) as pool:
                assert all(pool.map(lambda _: monitor.step_complete("time", 0), range(4)))
            return b"engine"

    monkeypatch.setattr(Phases, "text", slow_text)
    watched_build(TRT, InThreads(), None, SimpleNamespace(), "build x.engine")
    # Counted twice, 50 would be all there is, and the end of the build nothing new.
    assert capsys.readouterr().err.splitlines()[-1].endswith(", done")


class Builder:
    """Reports two rounds of one phase, then answers; what it does in between comes from the test."""

    def __init__(self, answer=b"engine", between=lambda: None):
        self.answer, self.between, self.went_on = answer, between, True

    def build_serialized_network(self, network, config):
        monitor = config.progress_monitor
        monitor.phase_start("build", None, 2)
        for step in range(2):
            for _ in range(2):
                monitor.phase_start("time", "build", 50)
                for tactic in range(50):
                    self.went_on = monitor.step_complete("time", tactic)
                    if not self.went_on:
                        return None
                monitor.phase_finish("time")
            self.between()
            monitor.step_complete("build", step)
        monitor.phase_finish("build")
        return self.answer


def test_a_build_is_reported_to_its_end(capsys):
    assert watched_build(TRT, Builder(), None, SimpleNamespace(), "build x.engine") == b"engine"
    assert capsys.readouterr().err.splitlines()[-1].startswith("build x.engine: 100/100")


def test_a_build_that_fails_is_not_said_to_be_done(capsys):
    assert watched_build(TRT, Builder(None), None, SimpleNamespace(), "build x.engine") is None
    assert "build x.engine: 99/100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_the_build(number, raised):
    before = signal.getsignal(number)
    builder = Builder(between=lambda: os.kill(os.getpid(), number))
    with pytest.raises(raised):
        watched_build(TRT, builder, None, SimpleNamespace(), "build x.engine")
    assert not builder.went_on
    assert signal.getsignal(number) is before
