"""The lock files fit what pyproject.toml asks for, and say of everything which bytes it is."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = [ROOT / "locks" / "dev.txt", *sorted(ROOT.glob("docker/*.lock.txt"))]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# Without its quotes; a marker's are single.
ASKED = re.compile(r'"([a-z][^"]*[<>=][^"]*)"')


def locked(path: Path) -> list[tuple[Requirement, int]]:
    """What a lock file names, each with the number of its checksums."""
    entries = re.split(r"\n(?=\S)", path.read_text())
    return [(Requirement(entry.partition(" \\\n")[0]), entry.count("--hash=sha256:")) for entry in entries]


def asked_for(*groups: str) -> list[Requirement]:
    """The requirements of pyproject.toml's base and ``groups``."""
    text = (ROOT / "pyproject.toml").read_text()
    lists = [re.search(rf"^{group} = \[(.*?)\]\n", text, re.M | re.S) for group in ("dependencies", *groups)]
    return [Requirement(line) for found in lists if found for line in ASKED.findall(found[1])]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_everything_is_pinned_with_checksums_and_no_address(path):
    assert all(checksums and str(pinned.specifier).startswith("==") for pinned, checksums in locked(path))
    assert "://" not in path.read_text()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_demo_and_the_tests_get_what_they_ask_for(python):
    machine = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": "x86_64"}
    machine |= {"sys_platform": "linux", "platform_python_implementation": "CPython"}

    def here(asked: Requirement) -> bool:
        return asked.marker is None or asked.marker.evaluate(machine)

    pinned = {each.name: str(each.specifier).removeprefix("==") for each, _ in locked(LOCKS[0]) if here(each)}
    wanted = [each for each in asked_for("compress", "export", "check", "dev") if each.name != "torch" and here(each)]
    assert len(wanted) > 12
    assert not [str(each) for each in wanted if not each.specifier.contains(pinned.get(each.name, "0"))]


@pytest.mark.parametrize(("board", "numpy"), [("jetpack6", "<2"), ("jetpack7", ">=2")])
def test_boards_get_what_they_ask_for(board, numpy):
    wheels, sources = locked(ROOT / "docker" / f"{board}.lock.txt"), locked(ROOT / "docker" / "pycuda.lock.txt")
    assert [each.name for each, _ in sources] == ["pycuda"]
    pinned = {each.name: str(each.specifier).removeprefix("==") for each, _ in wheels + sources}
    assert len(pinned) == len(wheels + sources)
    # The last are what builds pycuda and this project.
    wanted = [*asked_for("jetson", "requires"), Requirement(f"numpy{numpy}")]
    assert {each.name for each in wanted} == {"numpy", "opencv-python-headless", "pycuda", "setuptools"}
    assert not [str(each) for each in wanted if not each.specifier.contains(pinned[each.name])]


def test_the_oldest_set_is_no_older_than_what_is_promised():
    lines = (ROOT / "locks" / "oldest.txt").read_text().splitlines()
    oldest = {each.name: str(each.specifier).removeprefix("==") for each in map(Requirement, lines[1:])}
    for each in asked_for("compress", "export"):
        assert each.specifier.contains(oldest[each.name]), each
