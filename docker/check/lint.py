"""Style and faults of the Dockerfiles, by hadolint, and of the shell commands in them, by shellcheck."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dockerfile import read_dockerfile
from findings import Finding


def lint(folder: Path, dockerfiles: Sequence[Path], scripts: Sequence[Path]) -> Iterator[Finding]:
    """Check every Dockerfile with both, and every shell script with shellcheck.

    Args:
        folder: with ``hadolint.yaml``.
        dockerfiles: to check.
        scripts: of the shell, to check.
    """
    config = ["--config", str(folder / "hadolint.yaml")]
    for path in dockerfiles:
        yield _run("hadolint", [*config, str(path)], path.name)
        commands = [each.value for each in read_dockerfile(path) if each.name == "RUN"]
        yield _run("shellcheck", ["--shell=sh", "-"], f"RUN lines of {path.name}", "\n".join(commands))
    for path in scripts:
        yield _run("shellcheck", [str(path)], path.name)


def _run(tool: str, arguments: list[str], of: str, text: str = "") -> Finding:
    what = f"{tool}: {of}"
    # Beside this Python is where pip puts them.
    program = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
    if program is None:
        return Finding(what, "not tried", f"{tool} is not installed")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
    complaints = (done.stdout + done.stderr).strip()
    return Finding(what, "FAILS" if done.returncode else "holds", complaints)
