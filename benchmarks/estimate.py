"""How far off ``panoedge estimate`` is on published figures, and what its counts are worth where we can measure.

    python benchmarks/estimate.py

The first table predicts each published figure by constants fitted without that network. The second is about the counts
of the graph reader: YOLOP in several widths and sizes through ONNX Runtime on one CPU thread, each predicted by a time
for a multiply-accumulate and a time for a byte that were fitted to the other widths (a CPU has no launches).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

from export.onnx_writer import export_onnx
from panoedge.estimate.graph import kernels
from panoedge.estimate.roofline import error_band, errors
from perception import checkpoint
from perception.networks.yolop import YOLOP

WIDTHS, SIZES = (0.25, 0.375, 0.5, 0.75), ((192, 320), (256, 448), (384, 640))
ROUNDS = 15
_Key = tuple[float, tuple[int, int]]


def published() -> None:
    """Print every published figure beside what a fit without its network says."""
    print(f"{'network':12} {'board':28} {'mode':11} {'published':>9} {'estimate':>9} {'error':>7}")
    for known, error in errors():
        place = f"{known.board.name:28} {known.board.mode:11}"
        print(f"{known.network:12} {place} {known.ms:6.2f} ms {known.ms * (1 + error):6.2f} ms {error:+7.1%}")
    print(f"error band: {error_band():.1%} either way\n")


def measured() -> None:
    """Print measured and predicted times of YOLOPs on one CPU thread, run in turn; the median of each counts."""
    with tempfile.TemporaryDirectory() as folder:
        files = {(width, size): _exported(Path(folder), width, size) for width in WIDTHS for size in SIZES}
        runs = {key: _runner(file) for key, file in files.items()}
        times: dict[_Key, list[float]] = {key: [] for key in files}
        for _ in range(ROUNDS):
            for key, run in runs.items():
                start = time.perf_counter()
                run()
                times[key].append((time.perf_counter() - start) * 1e3)
        launches = {key: kernels(file) for key, file in files.items()}
    taken = {key: median(values) for key, values in times.items()}
    counts = {
        key: (sum(kernel.macs for kernel in each), sum(kernel.bytes for kernel in each))
        for key, each in launches.items()
    }
    print(f"{'YOLOP on one CPU thread':24} {'G MACs':>7} {'MB':>6} {'measured':>9} {'estimate':>9} {'error':>7}")
    misses = []
    for (width, (rows, columns)), (macs, traffic) in counts.items():
        others = [key for key in counts if key[0] != width]
        guess = float(
            np.dot((macs, traffic), _least_squares([counts[key] for key in others], [taken[key] for key in others]))
        )
        known = taken[width, (rows, columns)]
        misses.append(guess / known - 1)
        label = f"width {width}, {rows}x{columns}"
        print(f"{label:24} {macs / 1e9:7.2f} {traffic / 1e6:6.0f} {known:6.1f} ms {guess:6.1f} ms {misses[-1]:+7.1%}")
    print(f"median miss {median(map(abs, misses)):.1%}, worst {max(map(abs, misses)):.1%}")


def _least_squares(counts: list[tuple[int, int]], times: list[float]) -> np.ndarray:
    """Milliseconds for one of each count, by relative errors."""
    rows = np.array(counts) / np.array(times)[:, None]
    return np.linalg.lstsq(rows, np.ones(len(times)), rcond=None)[0]


def _exported(folder: Path, width: float, size: tuple[int, int]) -> Path:
    source, file = folder / "network.safetensors", folder / f"{width}-{size[0]}.onnx"
    checkpoint.save(source, YOLOP(width=width, size=size), [])
    export_onnx(source, file, agree=lambda network, exported: None)
    return file


def _runner(file: Path) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    feed = {image.name: np.zeros(image.shape, np.uint8)}
    session.run(None, feed)
    return lambda: session.run(None, feed)


if __name__ == "__main__":
    published()
    measured()
