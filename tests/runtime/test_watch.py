import pytest

from runtime.watch import Watch


class _Sampler:
    """Reads two rails once a second, of which one begins late."""

    def __init__(self):
        self.entered = self.left = False
        self.power = {"of": ["CPU", "GPU"]}

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, *error):
        self.left = True

    def record(self):
        series = {"CPU": {"series": [5.0, 6.0, 7.0, 8.0]}, "GPU": {"series": [None, 10.0, 12.0, 14.0]}}
        memory = {"GPU, this process": {"max": 612.5}}
        return {"times": [0.0, 1.0, 2.0, 3.0], "power": series, "total_power": self.power, "memory": memory}


@pytest.fixture
def sampler():
    return _Sampler()


def watch_two_phases(sampler, clock):
    watch = Watch(lambda: sampler, clock)
    clock.advance(5000)
    with watch:
        with watch.phase("network"):
            clock.advance(1500)
        with watch.phase("stream"):
            clock.advance(1500)
    return watch


def test_phases_and_power_of_each(sampler, clock):
    watch = watch_two_phases(sampler, clock)
    assert sampler.entered and sampler.left
    record = watch.record("")
    assert record["phases"] == [
        {"name": "network", "from": 0.0, "to": 1.5},
        {"name": "stream", "from": 1.5, "to": 3.0},
    ]
    assert record["host_memory"] > 10e6
    assert record["device_memory"] == 612_500_000
    assert watch.watts("network") == 16
    assert watch.watts("stream") == pytest.approx((19 + 22) / 2)


def test_without_power_there_are_no_watts(sampler, clock):
    sampler.power = None
    assert watch_two_phases(sampler, clock).watts("stream") is None


def test_a_phase_that_fails_is_still_recorded(sampler, clock):
    watch = Watch(lambda: sampler, clock)
    with pytest.raises(RuntimeError), watch, watch.phase("network"):
        raise RuntimeError("device lost")
    assert [phase["name"] for phase in watch.record("lost")["phases"]] == ["network"]
    assert sampler.left


def test_the_real_sampler():
    with Watch() as watch, watch.phase("network"):
        pass
    record = watch.record("")
    assert record["sampler"]["samples"] >= 1
    # Of this process; the most it ever held is at least what it holds.
    assert record["sampler"]["memory"]["this process"]["max"] <= record["host_memory"] / 1e6 * 1.01
    assert isinstance(record["sampler"]["certified"], bool)
