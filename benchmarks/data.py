"""How fast training data is read, and in how much memory.

    python benchmarks/data.py [--images 1000 70000] [--workers 0 1 2] [--batches 10]

Pictures of 736x1280 (HxW), about BDD100K's size, are drawn and linked under as many names as are asked for; so the
files lie in the system's cache, and what counts is decoding, resizing to 384x640 and augmentation.

Memory: what the process and its workers hold, shared pages in parts, with the data set open and after half and all of
the batches. It is flat where these agree and hardly grows with the number of images. Rates: images a second, which a
GPU step must stay below, readings with different numbers of workers in turns; and the processor time of one image,
which no other work on the machine changes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median

from compress.augment import Augmentation
from compress.data import Frames, Loader, Source, loader
from perception.spec import InputSpec
from perception.synthetic import write

DRAWN = 48
BATCH = 16
SPEC = InputSpec((384, 640))


def linked(drawn: Path, root: Path, count: int) -> Path:
    """A data set of ``count`` training frames, all of them other names of the ``drawn`` ones."""
    names = sorted(file.stem for file in (drawn / "images/train").iterdir())
    for part in sorted(drawn.glob("*/train")):
        folder = root / part.relative_to(drawn)
        folder.mkdir(parents=True)
        suffix = next(part.iterdir()).suffix
        for number in range(count):
            os.link(part / f"{names[number % len(names)]}{suffix}", folder / f"{number:08d}{suffix}")
    return root


def memory() -> float:
    """Proportional set size of this process and its children in MB: shared pages count in parts."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return sum(_proportional(Path(f"/proc/{pid}/smaps_rollup")) for pid in (own, *children)) / 1e3


def _proportional(file: Path) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith("Pss:"))


def make_loader(root: Path, workers: int) -> Loader:
    """As ``panoedge train`` makes it."""
    return loader(Frames([Source(root)], "train", SPEC, Augmentation()), BATCH, 0, workers)


def measure_memory(root: Path, workers: int, batches: int) -> dict[str, float]:
    """Seconds to open the data set, and MB then, half way and in the end."""
    begin = time.perf_counter()
    data = make_loader(root, workers)
    found = {"seconds": time.perf_counter() - begin, "opened": memory()}
    steps = iter(data)
    for name in ("half", "end"):
        for _ in islice(steps, batches // 2):
            pass
        found[name] = memory()
    return found


def measure_rates(root: Path, workers: list[int], batches: int, times: int) -> dict[int, list[float]]:
    """Images a second by number of workers, once a turn."""
    steps = {count: _forever(make_loader(root, count)) for count in workers}
    rates: dict[int, list[float]] = {count: [] for count in workers}
    for turn in range(times + 1):
        for count, batch in steps.items():
            # What was read ahead while others were measured is not counted, as in the first turn the start is not.
            for _ in islice(batch, 2 * count + 1):
                pass
            begin = time.perf_counter()
            for _ in islice(batch, batches):
                pass
            if turn:
                rates[count].append(BATCH * batches / (time.perf_counter() - begin))
    return rates


def processor_time(root: Path, batches: int) -> float:
    """Milliseconds that one image costs one core."""
    steps = _forever(make_loader(root, 0))
    next(steps)
    begin = time.process_time()
    for _ in islice(steps, batches):
        pass
    return 1000 * (time.process_time() - begin) / (BATCH * batches)


def _forever(data: Loader):
    while True:
        yield from data


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 70000], help="sizes of the data set")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="processes that read")
    parser.add_argument("--batches", type=int, default=10, help="of 16 images, read for each figure")
    parser.add_argument("--times", type=int, default=3, help="turns of the rates; the median counts")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure_memory(arguments.measure, arguments.workers[0], arguments.batches)))
        return
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder, "drawn")
        write(drawn, DRAWN, 1, size=(736, 1280))
        print(f"{'images':>8} {'workers':>8} {'open s':>8} {'opened MB':>10} {'half MB':>10} {'end MB':>10}")
        for images in arguments.images:
            root = linked(drawn, Path(folder, str(images)), images)
            for workers in (0, max(arguments.workers)):
                options = ["--measure", root, "--workers", workers, "--batches", 4 * arguments.batches]
                command = [sys.executable, __file__, *map(str, options)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                columns = (found["opened"], found["half"], found["end"])
                print(f"{images:8,} {workers:8} {found['seconds']:8.2f}", *(f"{each:10.0f}" for each in columns))
        root = Path(folder, str(arguments.images[0]))
        print(f"an image takes {processor_time(root, arguments.batches):.1f} ms of one core")
        rates = measure_rates(root, arguments.workers, arguments.batches, arguments.times)
        print(f"{'workers':>8} {'images/s':>9} {'spread':>15}   on {len(os.sched_getaffinity(0))} cores")
        for workers, found in rates.items():
            print(f"{workers:8} {median(found):9.1f} {min(found):7.1f} {max(found):7.1f}")


if __name__ == "__main__":
    main()
