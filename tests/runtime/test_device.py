import numpy as np
import pytest

from runtime.device import ask, probe


@pytest.fixture
def machine(tmp_path):
    """Writes files under a root of its own."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def silent(command):
    return ""


def test_this_machine():
    facts = probe()
    assert facts["numpy"] == np.__version__
    assert facts["cores"] >= 1
    assert facts["name"]
    assert all(isinstance(value, str | int | float) for value in facts.values())


def test_plain_computer(machine):
    root = machine(
        proc__cpuinfo="processor : 0\nmodel name\t: Fast CPU 9000\n\nprocessor : 1\nmodel name\t: Fast CPU 9000\n",
        proc__meminfo="MemTotal:       16777216 kB\nMemFree: 1 kB\n",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_max_freq="3600000\n",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="performance\n",
    )
    etc = machine()
    (etc / "etc").mkdir()
    (etc / "etc/os-release").write_text('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n')
    facts = probe(root, silent)
    assert facts["name"] == facts["cpu"] == "Fast CPU 9000"
    assert facts["memory"] == "16.0 GiB"
    assert facts["cpu_max_mhz"] == 3600
    assert facts["cpu_governor"] == "performance"
    assert facts["os"].startswith("Debian GNU/Linux 12, ")
    assert not {"board", "gpu", "l4t", "power_mode"} & set(facts)


def test_graphics_card(machine):
    facts = probe(machine(), lambda command: "NVIDIA X1, 550.54, 8192 MiB, 150.00 W\n" * (command[0] == "nvidia-smi"))
    assert facts["name"] == facts["gpu"] == "NVIDIA X1"
    assert (facts["gpu_driver"], facts["gpu_memory"], facts["gpu_power_limit"]) == ("550.54", "8192 MiB", "150.00 W")


def test_jetson(machine, tmp_path):
    files = {
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n",
        "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
        "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    answers = {
        "nvidia-smi": "Orin (nvgpu), 540.4.0, [N/A], [N/A]\n",
        "nvpmodel": "NV Fan Mode:quiet\nNV Power Mode: MAXN_SUPER\n2\n",
    }
    facts = probe(tmp_path, lambda command: answers[command[0]])
    assert facts["name"] == facts["board"] == "NVIDIA Jetson Orin Nano Developer Kit"
    assert facts["l4t"] == "36.4.3"
    assert facts["power_mode"] == "MAXN_SUPER"
    assert (facts["gpu_min_mhz"], facts["gpu_max_mhz"]) == (306, 1020)
    assert facts["gpu"] == "Orin (nvgpu)"
    assert "gpu_memory" not in facts


def test_a_machine_that_tells_nothing(tmp_path):
    facts = probe(tmp_path, silent)
    assert facts["name"]
    assert "memory" not in facts


def test_commands_that_fail_say_nothing():
    assert ask(["no-such-command-anywhere"]) == ""
    assert ask(["false"]) == ""
    assert ask(["echo", "hello"]) == "hello\n"
