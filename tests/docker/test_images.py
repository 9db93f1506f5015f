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


def test_pip_installs_this_project_only_and_from_its_own_groups(image):
    commands = [value.split() for value in values(image[1], "RUN") if value.startswith("pip install")]
    asked = {command[-1].strip('"') for command in commands}
    assert asked == {".", ".[jetson]"}


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


def test_both_lines_differ_in_their_base_and_constraints_only():
    from dockerfile import read_dockerfile

    six, seven = (
        [str(each) for each in read_dockerfile(ROOT / "docker" / name) if each.name not in ("ARG", "FROM")]
        for name in BASES
    )
    constraints = (" --constraint jetpack6.constraints.txt", " docker/jetpack6.constraints.txt")
    assert [line.replace(constraints[0], "").replace(constraints[1], "") for line in six] == seven


def test_hadolint_and_shellcheck_find_no_fault():
    from lint import lint

    folder = ROOT / "docker"
    findings = list(lint(folder, sorted(folder.glob("*.Dockerfile")), sorted(folder.glob("check/*.sh"))))
    if any(finding.outcome == "not tried" for finding in findings):
        pytest.skip("needs hadolint and shellcheck")
    assert [finding for finding in findings if finding.outcome == "FAILS"] == []
