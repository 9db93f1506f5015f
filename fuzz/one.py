"""One target under libFuzzer: ``python -m fuzz.one TARGET FOLDER [libFuzzer's options]``, started by a campaign."""

import sys
import warnings
from pathlib import Path

import atheris

# What decodes in Python; torch, NumPy and OpenCV are too large to watch, and their own.
_WATCHED = ["perception", "compress", "runtime", "panoedge", "pickletools", "zipfile", "json"]

with atheris.instrument_imports(include=_WATCHED):
    from fuzz.targets import targets, warm_up
    from fuzz.verdict import Judge


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    program, name, folder, *options = sys.argv
    warnings.simplefilter("error")
    # Python shows those to developers only; its pickletools has some.
    warnings.simplefilter("ignore", DeprecationWarning)
    target = targets(Path(folder))[name]()
    warm_up(target)
    judge = Judge(Path(folder))
    atheris.Setup([program, *options], lambda data: judge.try_out(target.read, data, target.spare_mib, target.growth))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
