"""What the images promise, read from their Dockerfiles."""

import argparse
import re
from pathlib import Path

import pytest

from export.commands import register_engine
from runtime import bench_command

ROOT = Path(__file__).parents[2]
BASES = {
    "jetpack6.Dockerfile": "nvcr.io/nvidia/l4t-jetpack:r36.4.0",
    "jetpack7.Dockerfile": "nvcr.io/nvidia/tensorrt:26.04-py3",
}


@pytest.fixture(params=BASES)
def image(request):
    """Name and instructions of a board's image."""
    from dockerfile import read_dockerfile

    return request.param, read_dockerfile(ROOT / "docker" / request.param)


def values(instructions, name):
    return [each.value for each in instructions if each.name == name]


def test_the_base_is_a_pinned_jetpack(image):
    name, instructions = image
    assert values(instructions, "FROM") == [BASES[name]]


def test_the_default_command_is_the_benchmark_with_its_gate(image):
    (command,) = (each.words() for each in image[1] if each.name == "CMD")
    assert command[:3] == ["python", "-m", "runtime"]
    parser = argparse.ArgumentParser()
    bench_command.register(parser.add_subparsers())
    arguments = parser.parse_args(command[3:])
    assert (arguments.models, arguments.min_fps, arguments.json) == ([Path("student.engine")], 32, Path("report.json"))


def test_compose_builds_the_engine_that_the_benchmark_reads():
    (command,) = re.findall(r"command: \[(.*)\]", (ROOT / "docker" / "compose.yaml").read_text())
    words = command.split(", ")
    assert words[:3] == ["python", "-m", "export"]
    parser = argparse.ArgumentParser()
    register_engine(parser.add_subparsers())
    arguments = parser.parse_args(words[3:])
    assert (arguments.onnx, arguments.out) == (Path("student.onnx"), Path("student.engine"))


def test_pip_installs_what_is_locked_and_this_project_and_looks_for_nothing_else(image):
    name, instructions = image
    lock = name.replace("Dockerfile", "lock.txt")
    wheels, source, project = (
        value.split()[2:] for value in values(instructions, "RUN") if value.startswith("pip install")
    )
    assert all("--no-deps" in options for options in (wheels, source, project))
    assert wheels[-3:] == [":all:", "--requirement", lock] and {"--require-hashes", "--only-binary"} < set(wheels)
    assert source[-2:] == ["--requirement", "pycuda.lock.txt"]
    assert {"--require-hashes", "--no-build-isolation"} < set(source)
    assert project[-1] == "." and "--no-build-isolation" in project
    copied = [each.words() for each in instructions if each.name == "COPY"]
    assert [f"docker/{lock}", "docker/pycuda.lock.txt", "./"] in copied


def test_boards_install_neither_torch_nor_tensorrt_nor_onnx(image):
    lock = image[0].replace("Dockerfile", "lock.txt")
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "docker" / lock).read_text(), re.MULTILINE))
    assert {"numpy", "opencv-python-headless"} <= set(pinned)
    assert not any(name.startswith(("torch", "tensorrt", "onnx", "nvidia")) for name in pinned)
    # NVIDIA's packages for JetPack 6 are compiled against NumPy 1.
    assert (pinned["numpy"].startswith("1.")) == image[0].startswith("jetpack6")


def test_compose_asks_for_the_gpu_and_keeps_what_is_written():
    text = (ROOT / "docker" / "compose.yaml").read_text()
    for needed in ("runtime: nvidia", "target: /data", "RENDER_GID", "NVIDIA_DRIVER_CAPABILITIES: all"):
        assert needed in text
    # No command of its own: the image's default, with its gate.
    assert re.search(r"^  bench:\n    <<: \*board\n\Z", text, re.MULTILINE)


def test_pycuda_is_compiled_without_what_not_every_base_image_has(image):
    commands = values(image[1], "RUN")
    (without,) = (index for index, command in enumerate(commands) if "CUDA_ENABLE_CURAND = False" in command)
    assert commands[without].endswith("> /etc/aksetup-defaults.py")  # which pycuda's setup reads
    assert "--requirement pycuda.lock.txt" in commands[without + 1]


def test_all_that_is_copied_is_there_and_nothing_is_forgotten(image):
    copied = [source for each in image[1] if each.name == "COPY" for source in each.words()[:-1]]
    assert all((ROOT / source).exists() for source in copied)
    assert {"perception", "compress", "export", "runtime", "panoedge"} <= set(copied)


def test_it_runs_as_a_user_of_the_gpu_on_a_volume_and_says_how_it_is(image):
    instructions = image[1]
    assert values(instructions, "USER") == ["panoedge"]
    assert values(instructions, "VOLUME") == values(instructions, "WORKDIR")[-1:] == ["/data"]
    assert any("--groups video,render panoedge" in value for value in values(instructions, "RUN"))
    assert values(instructions, "HEALTHCHECK")


def test_both_lines_differ_in_their_base_and_lock_file_only():
    from dockerfile import read_dockerfile

    six, seven = (
        [str(each) for each in read_dockerfile(ROOT / "docker" / name) if each.name not in ("ARG", "FROM")]
        for name in BASES
    )
    assert [line.replace("jetpack6", "jetpack7") for line in six] == seven


def test_hadolint_and_shellcheck_find_no_fault():
    from lint import lint

    folder = ROOT / "docker"
    findings = list(lint(folder, sorted(folder.glob("*.Dockerfile")), sorted(folder.glob("check/*.sh"))))
    if any(finding.outcome == "not tried" for finding in findings):
        pytest.skip("needs hadolint and shellcheck")
    assert [finding for finding in findings if finding.outcome == "FAILS"] == []
