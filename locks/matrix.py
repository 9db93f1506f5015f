"""Run the tests with the oldest and with the newest libraries: ``make test-matrix``.

    python3.10 locks/matrix.py oldest                     one set, with the Python that runs this
    python3.11 locks/matrix.py --torch torch==2.13.0 -- tests/runtime -x        other tests than usual

``oldest`` is ``locks/oldest.txt``, ``newest`` what pyproject.toml allows today; each has a ``.venv-SET`` of its own.
``--torch`` takes the place of the set's own torch, where that one cannot be had. The exit status is 1 where a test
failed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "compress,export"
# What the libraries change: not processes, disks and images.
ROOMS = ("perception", "compress", "export", "runtime", "panoedge", "test_imports.py")
TESTS = [f"tests/{room}" for room in ROOMS]
SETS = ("oldest", "newest")


def main() -> int:
    """Run the sets that are named, all where none is."""
    parser = argparse.ArgumentParser(prog="matrix.py", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", metavar="SET", help=" or ".join(SETS))
    parser.add_argument("--torch", help="a requirement such as torch==2.13.0")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    arguments, tests = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :] or TESTS
    failed = [name for name in arguments.sets or SETS if not passes(name, arguments.torch, tests)]
    print(f"failed: {', '.join(failed)}" if failed else "all sets passed")
    return int(bool(failed))


def passes(name: str, torch: str | None, tests: list[str]) -> bool:
    """Install one set and run the tests with it."""
    folder = ROOT / f".venv-{name}"
    python = str(folder / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [python, "-m", "pip", "install", "--quiet"]
    if torch:
        subprocess.run([*pip, torch], check=True)
    subprocess.run([*pip, *options(name, torch), "--editable", f"{ROOT}[{EXTRAS}]", "pytest>=8"], check=True)
    subprocess.run([python, "-m", "pip", "list"], check=True)
    return subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT).returncode == 0


def options(name: str, torch: str | None) -> list[str]:
    """What makes pip take the set's versions, all but that of a ``torch`` that is there already."""
    if name == "newest":
        return ["--upgrade"]
    lines = (ROOT / "locks" / "oldest.txt").read_text().splitlines()
    kept = [line for line in lines if not (torch and line.startswith("torch=="))]
    constraints = ROOT / ".venv-oldest" / "constraints.txt"
    constraints.write_text("\n".join(kept) + "\n")
    return ["--constraint", str(constraints)]


if __name__ == "__main__":
    sys.exit(main())
