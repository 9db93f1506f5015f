"""The parts of docker-check that need neither a network nor root."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perception.errors import InputError

ROOT = Path(__file__).parents[2]


class Inside:
    """Stands in for an emulated root filesystem: a folder, and answers to commands."""

    def __init__(self, path, status=0, said=""):
        self.path, self.status, self.said, self.commands = path, status, said, []

    def run(self, command, variables, user, folder):
        self.commands.append((list(command), variables["PATH"], user, folder))
        return subprocess.CompletedProcess(command, self.status, "", self.said)


def instructions(tmp_path, text):
    from dockerfile import read_dockerfile

    path = tmp_path / "Dockerfile"
    path.write_text(text)
    return read_dockerfile(path)


def test_a_dockerfile_is_read_with_its_continuations_comments_and_arguments(tmp_path):
    read = instructions(
        tmp_path,
        "# for nobody\nARG BASE=debian:12\nFROM ${BASE}\nRUN one \\\n    # between\n    && two\n\n"
        'COPY --chown=me a b/ ./\nCMD ["python", "-c", "1 + 1"]\n',
    )
    assert [str(each) for each in read[:3]] == ["ARG BASE=debian:12", "FROM debian:12", "RUN one && two"]
    assert read[3].words() == ["a", "b/", "./"]
    assert read[4].words() == ["python", "-c", "1 + 1"]


def test_variables_are_expanded_as_docker_does():
    from dockerfile import expand

    assert expand("/opt/bin:$PATH:${HOME}$NOWHERE", {"PATH": "/bin", "HOME": "/root"}) == "/opt/bin:/bin:/root"


def test_a_replay_copies_and_runs_in_the_right_place_as_the_right_user(tmp_path):
    from replay import Replay

    context, inside = tmp_path / "context", Inside(tmp_path / "root")
    (context / "room").mkdir(parents=True)
    (context / "room" / "module.py").write_text("")
    (context / "README.md").write_text("")
    read = instructions(
        tmp_path,
        "FROM nvidia\nENV PATH=/opt/bin:$PATH\nWORKDIR /src\nCOPY README.md ./\nCOPY room room\nRUN pip install .\n"
        'RUN pip install --requirement pycuda.lock.txt\nUSER somebody\nRUN true\nCMD ["bench"]\n',
    )
    findings = list(Replay(inside, context, lambda line: None).follow(read))
    outcomes = [finding.outcome for finding in findings]
    assert outcomes == ["not tried", *["holds"] * 5, "not tried", "holds", "holds"]
    assert (inside.path / "src" / "README.md").is_file() and (inside.path / "src" / "room" / "module.py").is_file()
    (install, path, user, folder), (_, _, later_user, _) = inside.commands
    assert (install, user, folder, later_user) == (["sh", "-c", "pip install ."], "root", "/src", "somebody")
    assert path.startswith("/opt/bin:/usr/")


def test_a_replay_ends_where_a_step_fails_with_its_last_words(tmp_path):
    from findings import Finding
    from replay import Replay

    inside = Inside(tmp_path / "root", 100, "reading lists\nE: no such package\n")
    read = instructions(tmp_path, "RUN apt-get install nothing\nRUN true\n")
    assert list(Replay(inside, tmp_path, print).follow(read)) == [
        Finding("RUN apt-get install nothing", "FAILS", "E: no such package")
    ]


@pytest.fixture
def benchmark(tmp_path):
    """Tries an image's default command out where it ends with ``status`` and its report says ``passed``."""
    from replay import Replay

    def run(status, passed):
        inside = Inside(tmp_path / "root")
        inside.path.mkdir(exist_ok=True)
        (tmp_path / "small.onnx").write_bytes(b"a network")
        run_before = inside.run

        def answer(command, *rest):
            done = run_before(command, *rest)
            done.returncode = 2 if "export" in command else status if "bench" in command else 0
            if "bench" in command and passed is not None:
                gate = {"of": "stream", "value": 1.81, "passed": passed}
                report = {"models": [{"gates": [gate]}], "device": {"os": "Linux on arm64"}}
                (inside.path / "report.json").write_text(json.dumps(report))
            return done

        inside.run = answer
        command = ["python", "-m", "runtime", "bench", "student.engine", "--min-fps", "32", "--json", "report.json"]
        findings = list(Replay(inside, tmp_path, lambda line: None).try_out(command, tmp_path / "small.onnx"))
        assert "small.onnx" in inside.commands[-1][0] and "student.engine" not in inside.commands[-1][0]
        return [finding.outcome for finding in findings]

    return run


def test_the_default_command_must_end_as_its_report_says(benchmark):
    assert benchmark(status=1, passed=False) == benchmark(status=0, passed=True) == ["holds"] * 3
    assert benchmark(status=0, passed=False)[-1] == benchmark(status=1, passed=True)[-1] == "FAILS"
    assert benchmark(status=2, passed=False)[-1] == "FAILS"


def test_the_default_command_must_write_a_report(benchmark):
    assert benchmark(status=1, passed=None) == ["holds", "holds", "FAILS"]


def test_what_was_not_followed_is_said():
    from replay import left_out

    folder = ROOT / "docker"
    found = {finding.what: finding for finding in left_out(folder, folder / "jetpack6.Dockerfile")}
    expected = {path.name for path in folder.glob("*.Dockerfile")} - {"jetpack6.Dockerfile"} | {"compose.yaml"}
    assert set(found) == {f"steps of {name}" for name in expected}
    assert all(finding.outcome == "not tried" and finding.why for finding in found.values())


def test_wheels_that_pip_does_not_find_are_a_fault_with_its_last_words(monkeypatch):
    import wheels

    def refuse(command, **options):
        return subprocess.CompletedProcess(
            command, 1, "", "looking\nERROR: No matching distribution found for pycuda\n"
        )

    monkeypatch.setattr(wheels.subprocess, "run", refuse)
    findings = list(wheels.resolve(ROOT))
    assert len(findings) == 1 + 2 * len(wheels.BOARDS)
    assert {(each.outcome, each.why) for each in findings} == {
        ("FAILS", "ERROR: No matching distribution found for pycuda")
    }


def test_wheels_are_asked_for_as_the_boards_need_them(monkeypatch):
    import wheels

    commands = []

    def find(command, **options):
        commands.append(command)
        report = {"install": [{"metadata": {"name": "numpy", "version": "1.26.4"}}]}
        return subprocess.CompletedProcess(command, 0, json.dumps(report), "")

    monkeypatch.setattr(wheels.subprocess, "run", find)
    findings = list(wheels.resolve(ROOT))
    assert {(each.outcome, each.why) for each in findings} == {("holds", "numpy 1.26.4")}
    source, *of_boards = commands
    assert "--no-binary=:all:" in source and str(ROOT / "docker" / "pycuda.lock.txt") in source
    for command, python in zip(of_boards, ["3.10", "3.10", "3.12", "3.12"], strict=True):
        assert "--only-binary=:all:" in command and command[command.index("--python-version") + 1] == python
        platforms = [word.partition("=")[2] for word in command if word.startswith("--platform")]
        assert platforms and all(name.endswith("_aarch64") for name in platforms)


def test_the_table_has_a_line_for_each_finding_and_cuts_long_steps():
    from findings import Finding, table

    lines = table([Finding("RUN " + "x" * 90, "holds", "3 s"), Finding("FROM y", "not tried", "why")]).splitlines()
    assert [len(line.split("  ")[0].rstrip()) for line in lines] == [72, 6]
    assert lines[0].endswith("...  holds      3 s") and lines[1].endswith("not tried  why")


def test_without_root_one_line_says_so(monkeypatch):
    import rootfs

    monkeypatch.setattr(rootfs.os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="needs root"):
        rootfs.check_means()


def test_the_health_check_says_what_is_missing():
    done = subprocess.run(
        [sys.executable, ROOT / "docker" / "healthy.py"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode == 0:
        pytest.skip("this machine can run engines")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
