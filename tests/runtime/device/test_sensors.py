import os

import pytest

from runtime.device.sensors import sensors, whole_power


def readings(root, kind, gpu=None):
    return {sensor.name: sensor.read() for sensor in sensors(root, gpu) if sensor.kind == kind}


def test_rails_of_orin_nano_and_nx(machine):
    for name in ("orin-nano-jetpack6", "orin-nx-jetpack7"):
        power = readings(machine(name).root, "power")
        assert power == {"VDD_IN": 12.0, "VDD_CPU_GPU_CV": 5.0, "VDD_SOC": 2.5}
        assert whole_power(power) == ("VDD_IN",)


def test_rails_of_agx_orin(machine):
    power = readings(machine("agx-orin-jetpack6").root, "power")
    assert power == {"VDD_GPU_SOC": 19.0, "VDD_CPU_CV": 3.8, "VIN_SYS_5V0": 5.0, "VDDQ_VDD2_1V8AO": 1.5}
    assert whole_power(power) == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")


def test_temperatures_clocks_and_load(machine):
    root = machine("orin-nano-jetpack6").root
    running = {"cpu": 51.25, "gpu": 52.5, "soc0": 50.5, "soc1": 49.875, "soc2": 50.031, "tj": 53.125}
    assert readings(root, "temperature") == {**running, "cv0": None, "cv1": None, "cv2": None}
    assert readings(root, "clock") == {"GPU": 1020, "CPU 0": 1728, "CPU 4": 1728}
    assert readings(root, "load")["GPU"] == 0.87


def test_memory_of_this_process_and_of_all(machine):
    memory = readings(machine("orin-nano-jetpack6").root, "memory")
    assert memory == {"this process": 125_000 * os.sysconf("SC_PAGE_SIZE") / 1e6, "all processes": 2560.0}


def test_jetpack_7_shows_the_memory_clock(machine):
    assert readings(machine("agx-orin-jetpack7").root, "clock")["memory"] == 3199


def test_a_file_that_vanishes_reads_as_none_and_comes_back(machine):
    nano = machine("orin-nano-jetpack6")
    known = {sensor.name: sensor for sensor in sensors(nano.root, None)}
    file = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input"
    nano.remove(file)
    assert known["VDD_IN"].read() is None
    assert known["VDD_SOC"].read() == 2.5
    nano.write(file, 1000)
    assert known["VDD_IN"].read() == 5.0


def test_computer(machine):
    computer = machine("computer")
    known = {sensor.name: sensor for sensor in sensors(computer.root, None)}
    assert set(known) == {"CPU package-0", "x86_pkg_temp", "CPU 0", "CPU"}
    assert known["CPU 0"].read() == 2100
    computer.write("sys/class/powercap/intel-rapl:0/energy_uj", 5_000_000)
    assert known["CPU package-0"].read() > 0


def test_the_power_of_a_package_is_not_counted_twice(machine):
    computer = machine("computer")
    for zone, name in ((1, "psys"), (2, "package-1")):
        computer.write(f"sys/class/powercap/intel-rapl:{zone}/name", name)
        computer.write(f"sys/class/powercap/intel-rapl:{zone}/energy_uj", 1_000_000)
    assert whole_power(readings(computer.root, "power")) == ("CPU package-0", "CPU package-1")


def test_processor_load_between_two_readings(machine):
    computer = machine("computer")
    load = next(sensor for sensor in sensors(computer.root, None) if sensor.kind == "load")
    assert load.read() is None, "no time has passed"
    # 60 ticks of work and 40 of rest.
    computer.write("proc/stat", "cpu  1030 0 520 90030 110 0 30 0 0 0\n")
    assert load.read() == pytest.approx(0.6)


def test_a_machine_without_any(machine):
    assert sensors(machine("nothing").root, None) == []
    assert whole_power([]) == ()


@pytest.mark.parametrize("file", ["sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load"])
def test_load_of_the_gpu_where_other_releases_have_it(machine, file):
    nano = machine("orin-nano-jetpack6")
    nano.remove("sys/class/devfreq/17000000.gpu/device/load")
    nano.write("sys/class/devfreq/15340000.vic/device/load", 20)
    assert "GPU" not in readings(nano.root, "load")
    nano.write(file, 640)
    assert readings(nano.root, "load")["GPU"] == 0.64


def test_labels_of_channels_that_are_not_connected_may_be_empty(machine):
    agx = machine("agx-orin-jetpack7")
    agx.write("sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/in1_label", "\n")
    assert len(readings(agx.root, "power")) == 4
