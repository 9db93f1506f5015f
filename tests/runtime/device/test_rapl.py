import pytest

from runtime.device.rapl import Package


def test_power_between_readings_and_over_the_end_of_the_counter(machine):
    computer = machine("computer")
    zone = "sys/class/powercap/intel-rapl:0"
    times = iter([0.0, 2.0, 3.0, 3.0, 4.0])
    computer.write(f"{zone}/max_energy_range_uj", 100_000_000)
    package = Package(computer.root / zone, lambda: next(times))
    computer.write(f"{zone}/energy_uj", 41_000_000)
    assert package.watts() == pytest.approx(20)
    computer.write(f"{zone}/energy_uj", 11_000_000)
    assert package.watts() == pytest.approx(70)
    assert package.watts() is None, "no time has passed"
    computer.remove(f"{zone}/energy_uj")
    assert package.watts() is None
