"""A campaign: ``python -m fuzz`` gives every target its inputs, ``python -m fuzz mask board --runs 5000`` some of them.

Inputs are made by libFuzzer, which atheris tells which lines of the readers each one reached (``pip install atheris``;
there are wheels for Linux on x86). Each target runs in a process of its own and ends at its first finding, whose input
is kept as ``runs/fuzz/TARGET.crash-...``: ``python -m fuzz TARGET --input FILE`` tries it again. Inputs that reached
something new are kept too, and the next campaign goes on from them. The exit status is 1 where anything was found.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from fuzz.targets import targets, warm_up
from fuzz.verdict import Judge

_TIMEOUT_SECONDS = 20
_MEMORY_MIB = 4000
_LONGEST_INPUT = 8192
_DONE = re.compile(r"Done (\d+) runs")


def main() -> int:
    """Run a campaign, or try one input."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all where none is named")
    parser.add_argument("--runs", type=int, help="inputs of each target; its own number where absent")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="folder for inputs")
    parser.add_argument("--input", type=Path, help="give this one file to the target, and nothing else")
    arguments = parser.parse_args()
    known = targets(Path())
    if unknown := [name for name in arguments.targets if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    names = arguments.targets or list(known)
    if arguments.input:
        return _try(names[0], arguments.input)
    if find_spec("atheris") is None:
        print("fuzz: atheris is not installed, which a campaign needs; pip install atheris", file=sys.stderr)
        return 2
    return max(_campaign(name, arguments) for name in names)


def _try(name: str, file: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        target = targets(Path(folder))[name]()
        warm_up(target)
        taken = Judge(Path(folder)).try_out(target.read, file.read_bytes(), target.spare_mib, target.growth)
    print("taken" if taken else "refused with one line")
    return 0


def _campaign(name: str, arguments: argparse.Namespace) -> int:
    """Fuzz one target in a process of its own, and say in a line how it went."""
    corpus = arguments.keep / name
    corpus.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder:
        target = targets(Path(folder))[name]()
        for number, seed in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        runs = arguments.runs or target.runs
        libfuzzer = [str(corpus), f"-runs={runs}", f"-seed={arguments.seed}", f"-timeout={_TIMEOUT_SECONDS}"]
        libfuzzer += [f"-rss_limit_mb={_MEMORY_MIB}", f"-max_len={_LONGEST_INPUT}"]
        libfuzzer += [f"-artifact_prefix={arguments.keep / name}.", "-print_final_stats=1"]
        argv = [sys.executable, "-m", "fuzz.one", name, folder, *libfuzzer]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    made = _DONE.search(done.stdout)
    minutes = (time.monotonic() - begin) / 60
    if done.returncode == 0 and made:
        print(f"{name}: {int(made[1]):,} inputs, {minutes:.1f} min, nothing found", flush=True)
        return 0
    tail = done.stdout[-6000:]
    print(f"{name}: FOUND something after {minutes:.1f} min\n{tail}", flush=True)
    return 1


def _memory_disk() -> Path | None:
    """In memory where there is such a disk: what is fuzzed is the readers."""
    disk = Path("/dev/shm")
    return disk if disk.is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
