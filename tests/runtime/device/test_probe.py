import numpy as np
import pytest

from runtime.device import ask, probe


def silent(command):
    return ""


def test_this_machine():
    facts = probe()
    assert facts["numpy"] == np.__version__
    assert facts["cores"] >= 1
    assert facts["name"]
    assert all(isinstance(value, str | int | float) for value in facts.values())


def test_computer(machine):
    facts = probe(machine("computer").root, silent)
    assert facts["name"] == facts["cpu"] == "Fast CPU 9000"
    assert facts["ram"] == "16.0 GiB"
    assert (facts["cpu_min_mhz"], facts["cpu_max_mhz"]) == (800, 3600)
    assert (facts["cpu_clocks"], facts["cpu_governor"], facts["cpu_turbo"]) == ("floating", "powersave", "on")
    assert facts["os"].startswith("Debian GNU/Linux 12 (bookworm), ")
    assert not {"board", "gpu", "l4t", "power_mode"} & set(facts)


def test_graphics_card(machine):
    facts = probe(machine("computer").root, lambda command: "NVIDIA X1, 550.54, 8192 MiB, 150.00 W, 8.9\n")
    assert facts["name"] == facts["gpu"] == "NVIDIA X1"
    assert (facts["gpu_driver"], facts["gpu_memory"], facts["gpu_power_limit"]) == ("550.54", "8192 MiB", "150.00 W")
    assert facts["compute_capability"] == "8.9"


def test_the_card_that_computes_is_described(machine):
    def answer(command):
        first, second = "NVIDIA X1, 550.54, 8192 MiB, 150.00 W, 8.9\n", "NVIDIA X2, 550.54, 8192 MiB, 150.00 W, 9.0\n"
        asked = [option for option in command if option.startswith("--id=")]
        return {"--id=0000:65:00.0": second}.get(asked[0], "") if asked else first + second

    root = machine("computer").root
    assert probe(root, answer, lambda: "0000:65:00.0")["gpu"] == "NVIDIA X2"
    assert probe(root, answer, lambda: "0000:00:00.0")["gpu"] == "NVIDIA X1"
    assert probe(root, answer, lambda: "")["gpu"] == "NVIDIA X1"


def test_a_jetson_keeps_what_its_nvidia_smi_knows(machine):
    facts = probe(machine("orin-nano-jetpack6").root, lambda command: "Orin (nvgpu), 540.4.0, [N/A], [N/A], [N/A]\n")
    assert facts["name"] == facts["board"]
    assert (facts["gpu"], facts["gpu_driver"]) == ("Orin (nvgpu)", "540.4.0")
    assert facts["compute_capability"] == "8.7"
    assert "gpu_memory" not in facts


@pytest.mark.parametrize(
    ("name", "board", "l4t", "mode"),
    [
        ("orin-nano-jetpack6", "Jetson Orin Nano", "36.4.3", "MAXN_SUPER"),
        ("orin-nx-jetpack6", "Jetson Orin NX", "36.4.3", "25W"),
        ("agx-orin-jetpack6", "Jetson AGX Orin", "36.4.0", "MAXN"),
        ("orin-nano-jetpack7", "Jetson Orin Nano", "39.2.0", "MAXN_SUPER"),
        ("orin-nx-jetpack7", "Jetson Orin NX", "39.2.0", "25W"),
        ("agx-orin-jetpack7", "Jetson AGX Orin", "39.2.0", "MAXN"),
    ],
)
def test_boards(machine, name, board, l4t, mode):
    facts = probe(machine(name).root, silent)
    assert board in facts["board"]
    assert (facts["l4t"], facts["power_mode"]) == (l4t, mode)
    assert facts["compute_capability"] == "8.7"
    assert facts["memory_max_mhz"] == 3199


def test_versions_of_jetpack_6_and_7(machine):
    facts = probe(machine("orin-nano-jetpack6").root, silent)
    assert (facts["jetpack"], facts["cuda"], facts["tensorrt"]) == ("6.2", "12.6.11", "10.3.0.30")
    facts = probe(machine("orin-nano-jetpack7").root, silent)
    assert (facts["jetpack"], facts["cuda"], facts["tensorrt"]) == ("7.2", "13.2.1", "10.16.1.11")


def test_a_removed_package_is_not_installed(machine):
    facts = probe(machine("agx-orin-jetpack6").root, silent)
    assert "jetpack" not in facts
    assert facts["tensorrt"] == "10.3.0.30"


def test_locked_and_floating_clocks(machine):
    facts = probe(machine("orin-nano-jetpack6").root, silent)
    assert (facts["gpu_clocks"], facts["gpu_min_mhz"], facts["gpu_max_mhz"]) == ("locked", 1020, 1020)
    assert (facts["cpu_clocks"], facts["cpu_max_mhz"]) == ("locked", 1728)
    assert "memory_clocks" not in facts, "nobody tells before JetPack 7"
    facts = probe(machine("orin-nx-jetpack6").root, silent)
    assert (facts["gpu_clocks"], facts["cpu_clocks"]) == ("floating", "floating")
    assert (facts["gpu_min_mhz"], facts["gpu_max_mhz"]) == (306, 408)
    facts = probe(machine("orin-nx-jetpack7").root, silent)
    assert (facts["memory_clocks"], facts["memory_min_mhz"], facts["memory_max_mhz"]) == ("floating", 204, 3199)


def test_the_fastest_mode_has_another_number_on_each_board(machine):
    nano = machine("orin-nano-jetpack6")
    assert "fastest_power_mode" not in probe(nano.root, silent)
    nano.write("var/lib/nvpmodel/status", "pmode:0000 fmode:quiet")
    facts = probe(nano.root, silent)
    assert (facts["power_mode"], facts["fastest_power_mode"]) == ("15W", "MAXN_SUPER (sudo nvpmodel -m 2)")
    assert probe(machine("orin-nx-jetpack6").root, silent)["fastest_power_mode"] == "MAXN (sudo nvpmodel -m 0)"


def test_a_board_whose_mode_was_never_chosen_runs_in_its_default(machine):
    nano = machine("orin-nano-jetpack6")
    nano.remove("var/lib/nvpmodel/status")
    assert probe(nano.root, silent)["power_mode"] == "25W"
    nano.remove("etc/nvpmodel.conf")
    assert "power_mode" not in probe(nano.root, silent)


def test_a_mode_without_a_name(machine):
    nano = machine("orin-nano-jetpack6")
    nano.remove("etc/nvpmodel.conf")
    assert probe(nano.root, silent)["power_mode"] == "mode 2"


def test_a_machine_that_tells_nothing(machine):
    facts = probe(machine("nothing").root, silent)
    assert facts["name"]
    assert not {"cpu_clocks", "gpu_clocks", "l4t", "cuda", "tensorrt"} & set(facts)


def test_a_strange_version_file_says_nothing(machine):
    nano = machine("orin-nano-jetpack6")
    for content in ("", "[]", '{"cuda": 12}'):
        nano.write("usr/local/cuda/version.json", content)
        assert "cuda" not in probe(nano.root, silent)


def test_commands_that_fail_say_nothing():
    assert ask(["no-such-command-anywhere"]) == ""
    assert ask(["false"]) == ""
    assert ask(["echo", "hello"]) == "hello\n"
