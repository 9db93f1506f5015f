"""Whether pip finds what the boards' lock files name, for their processor and their Pythons; installs nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from findings import Finding, last_line


class Board(NamedTuple):
    """What decides which wheels fit a board.

    Attributes:
        name: of its JetPack.
        python: version of its Python.
        glibc: minor version of its C library, of which a wheel names the least one it needs.
        lock: file that names its wheels.
    """

    name: str
    python: str
    glibc: int
    lock: str


BOARDS = (Board("JetPack 6", "3.10", 35, "jetpack6.lock.txt"), Board("JetPack 7", "3.12", 39, "jetpack7.lock.txt"))
# The oldest C library that wheels for aarch64 are made for.
_FIRST_GLIBC = 17


def resolve(root: Path) -> Iterator[Finding]:
    """The source of pycuda, and for every board the wheels of all the rest and of ONNX Runtime beside them."""
    source = ["--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    yield _found("source of pycuda", *source, "--require-hashes", "--requirement", str(root / "docker/pycuda.lock.txt"))
    for board in BOARDS:
        lock = root / "docker" / board.lock
        options = _options(board)
        what = f"wheels for {board.name}: CPython {board.python}, aarch64"
        # Without --no-deps, so that the lock file must name all that its packages need.
        yield _found(what, *options, "--require-hashes", "--requirement", str(lock))
        pinned = re.findall(r"^\S+==\S+", lock.read_text(encoding="utf-8"), re.MULTILINE)
        yield _found(f"{what}, and ONNX Runtime", *options, "onnxruntime", *pinned)


def _options(board: Board) -> list[str]:
    # What pip weighs by the Python it runs in, not by the one it is told: markers, and the versions of Python that a
    # package says it is for. The tags of wheels name these again.
    platforms = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(_FIRST_GLIBC, board.glibc + 1))]
    return [
        *("--target", "unused", "--only-binary=:all:", "--implementation", "cp", "--python-version", board.python),
        *("--ignore-requires-python", *(f"--platform={platform}_aarch64" for platform in platforms)),
    ]


def _found(what: str, *arguments: str) -> Finding:
    """What pip would install, or its last words where it would not."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return Finding(what, "FAILS", last_line(done.stderr))
    packages: list[dict[str, Any]] = [each["metadata"] for each in json.loads(done.stdout)["install"]]
    return Finding(what, "holds", ", ".join(sorted(f"{each['name']} {each['version']}" for each in packages)))
