"""Whether pip finds what the boards need as wheels, for their processor and their Pythons; installs nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from findings import Finding, last_line


class Board(NamedTuple):
    """What decides which wheels fit a board.

    Attributes:
        name: of its JetPack.
        python: version of its Python.
        glibc: minor version of its C library, of which a wheel names the least one it needs.
        constraints: file with pip constraints of its image; None for none.
    """

    name: str
    python: str
    glibc: int
    constraints: str | None


BOARDS = (Board("JetPack 6", "3.10", 35, "jetpack6.constraints.txt"), Board("JetPack 7", "3.12", 39, None))
# The oldest C library that wheels for aarch64 are made for.
_FIRST_GLIBC = 17
_OURS, _COMPILED = "panoedge", "pycuda"


def resolve(root: Path) -> Iterator[Finding]:
    """What has to be compiled on a board, and for every board the wheels of all the rest and of ONNX Runtime."""
    everything = [each for each in _packages(f"{root}[jetson]") if each["metadata"]["name"] != _OURS]
    names = {each["metadata"]["name"]: each["download_info"]["url"].endswith(".whl") for each in everything}
    compiled = [name for name, is_wheel in names.items() if not is_wheel]
    yield Finding(
        "pycuda alone is compiled on a board", "holds" if compiled == [_COMPILED] else "FAILS", ", ".join(compiled)
    )
    others = [name for name in names if name != _COMPILED]
    for board in BOARDS:
        what = f"wheels for {board.name}: CPython {board.python}, aarch64"
        try:
            found = _packages(str(root), "onnxruntime", *others, options=_options(root, board))
        except ValueError as error:
            yield Finding(what, "FAILS", str(error))
        else:
            known = [each["metadata"] for each in found]
            versions = sorted(f"{each['name']} {each['version']}" for each in known if each["name"] != _OURS)
            yield Finding(what, "holds", ", ".join(versions))


def _options(root: Path, board: Board) -> list[str]:
    # pip weighs markers such as python_version < "3.11" by the Python it runs in, not by the one it is told.
    platforms = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in range(_FIRST_GLIBC, board.glibc + 1))]
    return [
        *("--target", "unused", "--only-binary=:all:", "--implementation", "cp", "--python-version", board.python),
        *(f"--platform={platform}_aarch64" for platform in platforms),
        *(("--constraint", str(root / "docker" / board.constraints)) if board.constraints else ()),
    ]


def _packages(*requirements: str, options: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What pip would install; raises ValueError with its last words where it would not."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*command, *options, *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(last_line(done.stderr))
    return json.loads(done.stdout)["install"]
