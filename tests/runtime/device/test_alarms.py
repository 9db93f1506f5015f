import pytest

from runtime.device.alarms import alarms
from runtime.device.sensors import sensors


class Watched:
    """A machine with its alarms."""

    def __init__(self, machine):
        self.machine = machine
        self.alarms = alarms(machine.root, None, sensors(machine.root, None))

    def ringing(self):
        return [name for alarm in self.alarms for name in alarm()]


@pytest.fixture
def nano(machine):
    return Watched(machine("orin-nano-jetpack6"))


def test_all_is_well(nano):
    assert nano.ringing() == [], "the fan and a hot surface slow nothing, and counters start at what they hold"


def test_thermal_alert(nano):
    nano.machine.write("sys/class/thermal/cooling_device5/cur_state", 1)
    assert nano.ringing() == ["gpu-throttle-alert"]


def test_overcurrent(nano):
    nano.machine.write("sys/class/hwmon/hwmon3/oc3_event_cnt", 38)
    assert nano.ringing() == ["instantaneous over-current"]


def test_events_that_slow_nothing_down_are_none(machine):
    nano = machine("orin-nano-jetpack6")
    nano.write("sys/class/hwmon/hwmon3/oc3_throt_en", 0)
    watched = Watched(nano)
    for counter in ("oc2", "oc3"):
        nano.write(f"sys/class/hwmon/hwmon3/{counter}_event_cnt", 99)
    assert watched.ringing() == ["average over-current"]


def test_a_locked_clock_that_falls_while_the_gpu_is_busy(nano):
    nano.machine.write("sys/class/devfreq/17000000.gpu/cur_freq", 612_000_000)
    assert nano.ringing() == ["GPU clock below the 1020 MHz it is locked to"]
    nano.machine.write("sys/class/devfreq/17000000.gpu/device/load", 100)
    assert nano.ringing() == [], "a GPU at rest may be slow"


def test_bounds_that_throttling_lowers_do_not_hide_it(nano):
    for file in ("cur_freq", "max_freq", "min_freq"):
        nano.machine.write(f"sys/class/devfreq/17000000.gpu/{file}", 612_000_000)
    assert nano.ringing() == ["GPU clock below the 1020 MHz it is locked to"]


def test_a_floating_clock_is_not_throttling(machine):
    assert Watched(machine("orin-nx-jetpack6")).ringing() == []


def test_computer(machine):
    watched = Watched(machine("computer"))
    assert watched.ringing() == []
    watched.machine.write("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", 13)
    assert watched.ringing() == ["CPU too hot"]


def test_files_that_vanish_ring_nothing(nano):
    nano.machine.remove("sys/class/hwmon/hwmon3/oc3_event_cnt")
    nano.machine.remove("sys/class/thermal/cooling_device5/cur_state")
    nano.machine.remove("sys/class/devfreq/17000000.gpu/device/load")
    assert nano.ringing() == []
