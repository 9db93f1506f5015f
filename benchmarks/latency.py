"""How well the time of a network is predicted from the times of its layers, on this machine.

    panoedge cost teacher.safetensors --out costs.json
    python benchmarks/latency.py costs.json teacher.safetensors pruned.safetensors ...

Every checkpoint is exported, and all are measured in turn, as the layers were. At most 10 % off is wanted.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from compress.latency import layers_of
from export.onnx_writer import export_onnx
from perception import checkpoint
from perception.layer_times import read_times
from runtime.cost import Patience, measure_files

LIMIT = 10.0


def main() -> int:
    """Print one line a network; the exit status says whether all are within the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path, help="what panoedge cost measured on this machine")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="checkpoints; ratios are to the first")
    arguments = parser.parse_args()
    times = read_times(arguments.costs)
    threads = times.device.get("threads", 1)
    with tempfile.TemporaryDirectory() as folder:
        exported = {}
        for number, file in enumerate(arguments.files):
            exported[str(file)] = Path(folder) / f"{number}.onnx"
            export_onnx(file, exported[str(file)], times.precision, agree=lambda *_: None)  # type: ignore[arg-type]
        found = measure_files(exported, "auto", threads if isinstance(threads, int) else 1, Patience())
    first = found[str(arguments.files[0])]
    worst = 0.0
    print(f"{'measured':>10} {'ratio':>6} {'predicted':>10} {'off':>7}")
    for file in arguments.files:
        ms = found[str(file)]
        predicted = times.total(
            layer for layer in layers_of(checkpoint.load(file).network) if layer.kind in times.grids
        )
        off = 100 * (predicted / ms - 1)
        worst = max(worst, abs(off))
        print(f"{ms:7.3f} ms {first / ms:5.2f}x {predicted:7.3f} ms {off:+6.1f} %  {file.name}")
    print(f"at most {worst:.1f} % off; {LIMIT:g} % are wanted")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
