import json
import threading

import pytest

from runtime.device import Sampler

RAIL = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input"


class Time:
    """A clock that stands still until it is told to go on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def watch(machine, time=None):
    """A sampler that is driven by hand."""
    return Sampler(machine.root, clock=time or Time(), open_card=lambda: None)


def course(sampler, time, steps):
    """Samples one second apart; each step changes the machine first."""
    for step in steps:
        time.now += 1
        step()
        sampler.sample()
    return sampler.record()


def nothing():
    pass


def test_power_over_time_and_energy(machine):
    time, nano = Time(), machine("orin-nano-jetpack6")
    sampler = watch(nano, time)
    steps = [nothing, lambda: nano.write(RAIL, 1600), nothing, nothing]
    record = course(sampler, time, steps)
    assert record["times"] == [1, 2, 3, 4]
    assert record["power"]["VDD_IN"] == {"mean": 9, "min": 8, "max": 12, "series": [12, 8, 8, 8]}
    assert record["power"]["VDD_SOC"]["mean"] == 2.5
    assert record["total_power"] == {"of": ["VDD_IN"], "watts": 9, "joules": 36}
    assert record["temperature"]["tj"]["max"] == 53.12
    assert (record["seconds"], record["samples"]) == (4, 4)


def test_the_whole_of_an_agx_orin(machine):
    time = Time()
    record = course(watch(machine("agx-orin-jetpack7"), time), time, [nothing])
    assert record["total_power"]["watts"] == 27.8
    assert "VDDQ_VDD2_1V8AO" in record["power"]


def test_a_quiet_locked_board_is_certified(machine):
    time = Time()
    record = course(watch(machine("orin-nano-jetpack7"), time), time, [nothing])
    assert record["certified"]
    assert (record["faults"], record["throttled"]) == ([], None)


def test_floating_clocks_are_not(machine):
    time = Time()
    record = course(watch(machine("orin-nx-jetpack6"), time), time, [nothing])
    assert not record["certified"]
    (fault,) = record["faults"]
    assert fault["cure"] == "sudo jetson_clocks"
    assert "GPU 306 to 408 MHz" in fault["fault"]


def test_neither_is_a_memory_whose_clock_floats(machine):
    time, nano = Time(), machine("orin-nano-jetpack7")
    nano.write("sys/class/devfreq/bwmgr/min_freq", 204_000_000)
    record = course(watch(nano, time), time, [nothing])
    (fault,) = record["faults"]
    assert (fault["fault"], fault["cure"]) == ("clocks float: memory 204 to 3199 MHz", "sudo jetson_clocks")


def test_nor_a_board_that_hides_the_clock_of_its_gpu(machine):
    time, nano = Time(), machine("orin-nano-jetpack6")
    nano.remove("sys/class/devfreq/17000000.gpu/max_freq")
    record = course(watch(nano, time), time, [nothing])
    assert [fault["fault"] for fault in record["faults"]] == ["the GPU's clock cannot be read"]


def test_neither_is_a_computer_that_shows_or_holds_no_clock(machine, tmp_path):
    time = Time()
    record = course(watch(machine("computer"), time), time, [nothing])
    assert [fault["cure"] for fault in record["faults"]] == [
        "sudo cpupower frequency-set --governor performance",
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
    ]
    assert record["alarms"] == 1
    record = course(Sampler(tmp_path / "empty", clock=time, open_card=lambda: None), time, [nothing])
    assert record["faults"][0]["fault"] == "the clocks of this machine cannot be read"
    assert (record["power"], record["total_power"], record["others"]) == ({}, None, None)
    assert (record["alarms"], record["throttled"]) == (0, None), "nothing rings where there is no bell"


def test_a_computer_that_holds_its_clock_is_certified(machine):
    time, computer = Time(), machine("computer")
    computer.write("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance")
    computer.write("sys/devices/system/cpu/intel_pstate/no_turbo", 1)
    assert course(watch(computer, time), time, [nothing])["certified"]


def test_a_card_that_is_held_back_or_floats(machine):
    class Card:
        rates = iter([300, 1410, 1410, 1200])
        reasons: tuple[str, ...] = ()

        def watts(self):
            return 70.0

        def celsius(self):
            return 60

        def mhz(self):
            return next(self.rates)

        def memory_mhz(self):
            return None

        def load(self):
            return 0.99

        def own_megabytes(self):
            return None

        def strangers(self):
            return []

        def slowed(self):
            return list(self.reasons)

    time, card = Time(), Card()
    sampler = Sampler(machine("computer").root, clock=time, open_card=lambda: card)
    record = course(sampler, time, [nothing, nothing, lambda: setattr(card, "reasons", ("GPU power cap",))])
    assert record["clock"]["GPU"]["series"] == [1410, 1410, 1200], "the first was spent to see that it answers"
    assert record["throttled"] == {"at": 3, "by": ["GPU power cap"]}
    faults = [fault["fault"] for fault in record["faults"]]
    assert "the GPU's clock moved between 1200 and 1410 MHz" in faults
    assert record["total_power"]["of"] == ["CPU package-0", "GPU"]


def test_throttling_is_dated_by_its_first_sign(machine):
    time, nano = Time(), machine("orin-nano-jetpack6")
    alert = "sys/class/thermal/cooling_device5/cur_state"
    steps = [
        nothing,
        lambda: nano.write(alert, 1),
        lambda: nano.write(alert, 0),
        lambda: nano.write("sys/class/hwmon/hwmon3/oc2_event_cnt", 5),
    ]
    record = course(watch(nano, time), time, steps)
    assert record["throttled"] == {"at": 2, "by": ["gpu-throttle-alert", "average over-current"]}
    assert not record["certified"]
    assert record["faults"][0]["fault"].startswith("throttled from 2.0 s on: gpu-throttle-alert")


def test_another_process_at_work(machine):
    time, nano = Time(), machine("orin-nano-jetpack6")
    head = "77 (compositor) S 1 1 1 0 -1 0 0 0 0 0"
    nano.write("proc/77/stat", f"{head} 0 0 0 0 20 0 1 0 9")
    sampler = watch(nano, time)

    def work():
        nano.write("proc/stat", "cpu  1080 0 500 90120 100 0 20 0 0 0\n")
        nano.write("proc/77/stat", f"{head} 80 0 0 0 20 0 1 0 9")

    record = course(sampler, time, [nothing, work])
    assert record["others"] == pytest.approx(0.4, abs=0.05)
    (fault,) = record["faults"]
    assert "of a core, most of all compositor (process 77)" in fault["fault"]
    assert fault["cure"].startswith("kill -STOP 77")


def test_a_file_that_vanishes_and_comes_back(machine):
    time, nano = Time(), machine("orin-nano-jetpack6")
    steps = [nothing, lambda: nano.remove(RAIL), lambda: nano.write(RAIL, 2400)]
    record = course(watch(nano, time), time, steps)
    assert record["power"]["VDD_IN"]["series"] == [12, None, 12]
    assert record["total_power"]["watts"] == 12


def test_a_long_run_stays_small_and_is_json(machine):
    time = Time()
    record = course(watch(machine("agx-orin-jetpack6"), time), time, [nothing] * 1000)
    assert record["samples"] == 1000
    assert 120 <= len(record["times"]) < 240
    assert all(len(quantity["series"]) == len(record["times"]) for quantity in record["power"].values())
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_in_its_own_thread_on_this_machine():
    seen = threading.Event()

    class Noticing(Sampler):
        def sample(self):
            super().sample()
            if self._series.seen >= 3:
                seen.set()

    with Noticing(period=0.005) as sampler:
        assert seen.wait(20)
        during = sampler.record()
    after = sampler.record()
    assert during["samples"] >= 3
    assert after["samples"] > during["samples"]
    assert after["times"] == sorted(after["times"])
    assert sampler.record() == after, "nothing is added once it has ended"
    assert not any(thread.name == "sampler" for thread in threading.enumerate())


def test_a_measurement_that_fails_ends_the_thread_and_is_not_swallowed(machine):
    with pytest.raises(RuntimeError, match="the measurement"), watch(machine("orin-nano-jetpack6")):
        raise RuntimeError("the measurement failed")
    assert not any(thread.name == "sampler" for thread in threading.enumerate())
