"""What adds up over hours: memory, handles and threads of a stream, and a clock that is set meanwhile."""

import itertools
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median_low

from runtime.device import Sampler
from runtime.watch import Watch

ROOT = Path(__file__).parents[2]
LINE = re.compile(r" frames: ([\d,]+) KiB, (\d+) handles, (\d+) threads, ")


def test_a_stream_takes_no_more_as_it_goes_on():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "soak.py", "4800"], capture_output=True, text=True, check=True
    )
    states = [[int(number.replace(",", "")) for number in found] for found in LINE.findall(done.stdout)]
    assert len(states) == 16
    # What is made once is there after a quarter; then some fifty videos more are opened.
    memory, *counts = zip(*states[4:], strict=True)
    assert memory[-1] - memory[0] < 4096
    # Medians, for another thread may have a file open at the very moment of a count.
    for count in counts:
        assert median_low(count[:6]) == median_low(count[6:])


def test_a_clock_that_is_set_meanwhile_changes_no_measurement(monkeypatch):
    now, steps = time.time, itertools.cycle((0, 86_400, -86_400))
    monkeypatch.setattr(time, "time", lambda: now() + next(steps))
    with Watch(lambda: Sampler(period=0.01)) as watch, watch.phase("stream"):
        time.sleep(0.2)
    record = watch.record("")
    times, (phase,) = record["sampler"]["times"], record["phases"]
    assert times == sorted(times) and 0.2 <= round(phase["to"] - phase["from"], 3) < 3600


def test_no_duration_is_taken_from_a_clock_that_can_be_set():
    sources = [
        path
        for room in ("perception", "compress", "export", "runtime", "panoedge")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    assert len(sources) > 100
    assert not [path for path in sources if re.search(r"\btime\.time\(|import.* time\(", path.read_text())]
