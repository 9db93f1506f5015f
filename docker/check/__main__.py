"""Checks the images without Docker: ``make docker-check``, as root, on x86, with access to package mirrors.

    python docker/check [--folder DIR]

Dockerfiles and shell commands by hadolint and shellcheck, the boards' wheels by pip, and the steps of the JetPack 6
image in an emulated arm64 Debian. Prints what held and what could not be tried. Exit status 1 where something failed.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dockerfile import read_dockerfile
from findings import Finding, last_line, table
from lint import lint
from replay import Replay, left_out
from rootfs import RELEASE, Root, check_means, emulation
from wheels import resolve

from perception.command import say
from perception.errors import InputError

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
IMAGE = DOCKER / "jetpack6.Dockerfile"
TEACHER = ROOT / "panoedge" / "assets" / "teacher.safetensors"


def replay(folder: Path) -> Iterator[Finding]:
    """The steps of the image and its default command, in a root filesystem under ``folder``."""
    onnx = folder / "teacher.onnx"
    # Small, for an emulated processor takes its time.
    export = [sys.executable, "-m", "export", "onnx", str(TEACHER), "--size", "64x96", "--out", str(onnx)]
    subprocess.run(export, check=True, stdout=sys.stderr)
    instructions = read_dockerfile(IMAGE)
    with emulation():
        what = f"debootstrap --arch=arm64 {RELEASE}"
        say(what)
        try:
            root = Root.make(folder / "root")
        except subprocess.CalledProcessError as error:
            yield Finding(what, "FAILS", last_line(error.stdout + error.stderr))
            return
        yield Finding(what, "holds")
        image = Replay(root, ROOT, say)
        for finding in image.follow(instructions):
            yield finding
            if finding.outcome == "FAILS":
                return
        command = next(each for each in instructions if each.name == "CMD")
        yield from image.try_out(command.words(), onnx)


def main() -> int:
    """Check everything; returns the exit status."""
    parser = argparse.ArgumentParser(prog="docker-check", description="Check the images without Docker.")
    parser.add_argument("--folder", type=Path, help="make a temporary folder in here, 1 GB (default: the system's)")
    arguments = parser.parse_args()
    # So that what was begun is ended, and the folder removed.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        check_means()
        with tempfile.TemporaryDirectory(prefix="docker-check-", dir=arguments.folder) as folder:
            say("hadolint and shellcheck")
            findings = list(lint(DOCKER, sorted(DOCKER.glob("*.Dockerfile")), [*DOCKER.glob("check/*.sh")]))
            say("wheels")
            findings += resolve(ROOT)
            findings += [*replay(Path(folder)), *left_out(DOCKER, IMAGE)]
    except InputError as error:
        print(f"docker-check: {error}", file=sys.stderr)
        return 2
    print(table(findings))
    return int(any(finding.outcome == "FAILS" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
