"""Write the lock files anew: ``make locks``.

``locks/dev.txt`` is what the demo and the tests need, for every Python and platform at once. torch and the libraries of
its CUDA builds are left out: which build fits is the machine's affair (the Makefile's ``TORCH``).

``docker/jetpack*.lock.txt`` are a board's wheels, for its processor, its Python and its C library, with setuptools,
which builds what has none: this project, and pycuda, whose source is alone in ``docker/pycuda.lock.txt``.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMMON = ["--generate-hashes", "--no-header", "--no-annotate", "--upgrade", "--quiet"]
GROUPS = [f"--extra={group}" for group in ("compress", "export", "check", "dev")]
BOARDS = {
    "jetpack6": ("3.10", "aarch64-manylinux_2_35", ["--constraint", "docker/jetpack6.constraints.txt"]),
    "jetpack7": ("3.12", "aarch64-manylinux_2_39", []),
}
BINARY = ["--only-binary=:all:", "--no-binary=pycuda"]
# What pyproject.toml builds with.
BUILDER = "setuptools>=77"
PYCUDA = re.compile(r"^pycuda==.*\n(?: .*\n)*", re.MULTILINE)
# What only torch's CUDA builds ask for.
CUDA = re.compile(r"^((?:torch|triton|(?:nvidia|cuda)-[a-z0-9-]+))==", re.MULTILINE)


def main() -> None:
    """Compile all of them."""
    dev = ROOT / "locks" / "dev.txt"
    everything = compiled(*GROUPS, "--universal", "--python-version=3.10")
    left_out = [f"--no-emit-package={name}" for name in sorted({"torch", *CUDA.findall(everything)})]
    dev.write_text(compiled(*GROUPS, "--universal", "--python-version=3.10", *left_out))
    lock_boards()


def lock_boards() -> None:
    """Compile the boards'."""
    sources = set()
    for board, (python, platform, constraints) in BOARDS.items():
        machine = [f"--python-version={python}", f"--python-platform={platform}", *constraints]
        lock = compiled("--extra=jetson", *machine, *BINARY, "-", beside=BUILDER)
        (source,) = PYCUDA.findall(lock)
        sources.add(source)
        (DOCKER / f"{board}.lock.txt").write_text(lock.replace(source, ""))
    (source,) = sources
    (DOCKER / "pycuda.lock.txt").write_text(source)


def compiled(*options: str, beside: str = "") -> str:
    """What uv makes of pyproject.toml, and of requirements ``beside`` it where ``-`` is among the options."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *COMMON, *options]
    return subprocess.run(command, cwd=ROOT, input=beside, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
