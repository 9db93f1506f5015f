"""Whether a stream can go on for ever: as many frames as an hour at 32 FPS has, as fast as the machine goes.

    python benchmarks/soak.py [FRAMES]

A short video is read over and over, so that it is opened anew every 50 frames; a network that does not wait answers
with 100 candidates a frame; the machine is sampled meanwhile. Memory, handles, threads and the time from one result to
the next are printed every sixteenth of the way. Wanted: all of them flat.
"""

import resource
import sys
import tempfile
import threading
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from waiting import Waiting

from runtime.device import Sampler
from runtime.pipeline import Perceiver
from runtime.sources import open_source

FRAMES = 32 * 3600
PARTS = 16


def main() -> None:
    """Print one line for each part of the way."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    with tempfile.TemporaryDirectory() as folder, Sampler() as sampler:
        source = open_source(str(video(Path(folder) / "short.mp4")))
        with closing(source.endless()) as endless, closing(Perceiver(Waiting(0, 100)).stream(endless)) as results:
            for part in range(1, PARTS + 1):
                moments = [perf_counter()]
                moments += [perf_counter() for _ in islice(results, frames // PARTS)]
                p50, p99 = np.percentile(np.diff(moments) * 1000, (50, 99))
                print(
                    f"{part * (frames // PARTS):7,} frames: {resident() >> 10:,} KiB, {handles()} handles, "
                    f"{threading.active_count()} threads, p50 {p50:.2f} ms, p99 {p99:.2f} ms",
                    flush=True,
                )
        print(f"sampler: {sampler.record()['samples']} samples, {len(sampler.record()['times'])} kept")


def video(path: Path, frames: int = 50, size: tuple[int, int] = (160, 96)) -> Path:
    """Write a short video, ``size`` as width and height."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), 5 * number, np.uint8))
    writer.release()
    return path


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def handles() -> int:
    """Open files of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


if __name__ == "__main__":
    main()
