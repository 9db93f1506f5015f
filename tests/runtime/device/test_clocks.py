import pytest

from runtime.device.clocks import clocks, memory_rate, turbo


def test_gpu_first_then_a_clock_a_cluster(machine):
    assert [clock.name for clock in clocks(machine("agx-orin-jetpack6").root)] == ["GPU", "CPU 0", "CPU 4", "CPU 8"]


def test_names_of_other_releases(machine):
    for name in ("17000000.ga10b", "gpu-gpc-0"):
        nothing = machine("nothing")
        for file, value in (("cur", 7), ("min", 5), ("max", 9)):
            nothing.write(f"sys/class/devfreq/{name}/{file}_freq", value * 1_000_000)
        (clock,) = clocks(nothing.root)
        assert (clock.name, clock.lowest, clock.read(), clock.highest) == ("GPU", 5, 7, 9)
        for file in ("cur", "min", "max"):
            nothing.remove(f"sys/class/devfreq/{name}/{file}_freq")


def test_the_memory_of_jetpack_7_has_a_clock_with_bounds(machine):
    assert [clock.name for clock in clocks(machine("orin-nano-jetpack7").root)][:2] == ["GPU", "memory"]
    memory = clocks(machine("orin-nx-jetpack7").root)[1]
    assert (memory.lowest, memory.read(), memory.highest, memory.locked) == (204, 3199, 3199, False)
    assert memory_rate(machine("orin-nx-jetpack7").root) is None, "nobody is told twice"


def test_root_may_read_the_rate_of_the_memory_of_jetpack_6(machine):
    nano = machine("orin-nano-jetpack6")
    assert memory_rate(nano.root) is None
    nano.write("sys/kernel/debug/bpmp/debug/clk/emc/rate", 3_199_000_000)
    assert memory_rate(nano.root) == nano.root / "sys/kernel/debug/bpmp/debug/clk/emc/rate"


@pytest.mark.parametrize(
    ("file", "on", "off"), [("intel_pstate/no_turbo", 0, 1), ("cpufreq/boost", 1, 0)], ids=["intel", "others"]
)
def test_turbo(machine, file, on, off):
    nothing = machine("nothing")
    assert turbo(nothing.root) is None
    for state in (on, off):
        nothing.write(f"sys/devices/system/cpu/{file}", state)
        assert turbo(nothing.root) == (state == on, f"echo {off} | sudo tee /sys/devices/system/cpu/{file}")


def test_a_governor_that_wants_the_most_holds_a_clock(machine):
    computer = machine("computer")
    assert not clocks(computer.root)[0].locked
    computer.write("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n")
    assert clocks(computer.root)[0].locked


def test_a_machine_of_many_cores_is_read_in_part(machine):
    computer = machine("computer")
    for core in range(1, 64):
        for file in ("cur", "min", "max"):
            computer.write(f"sys/devices/system/cpu/cpufreq/policy{core}/scaling_{file}_freq", 1_000_000)
    assert [clock.name for clock in clocks(computer.root)] == ["CPU 0", "CPU 1", "CPU 2", "CPU 3"]


def test_a_domain_without_bounds_is_none(machine):
    nano = machine("orin-nano-jetpack6")
    nano.remove("sys/class/devfreq/17000000.gpu/max_freq")
    assert [clock.name for clock in clocks(nano.root)] == ["CPU 0", "CPU 4"]
