"""How well the time of a network is predicted from the times of its layers, on this machine.

    panoedge cost teacher.safetensors --out costs.json
    python benchmarks/latency.py costs.json teacher.safetensors pruned.safetensors ...

The first checkpoint is the one that the costs are of; they may be a report of ``panoedge bench --profile`` too. Every
checkpoint is exported, and all are measured in turn, as the layers were. Budgets in time are shares, so it is the share
of the first one's time that counts: at most 10 % off is wanted.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from compress.latency import layer_runs
from compress.times import read_times
from export.onnx_writer import export_onnx
from perception import checkpoint
from perception.cost import work
from perception.layer_times import Times
from perception.networks.base import Network
from runtime.cost import Patience, measure_files

LIMIT = 10.0


def main() -> int:
    """Print one line a network; the exit status says whether all are within the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path, help="what panoedge cost, or panoedge bench --profile, measured here")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="checkpoints; shares are of the first")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="as the costs are of")
    parser.add_argument("--threads", type=int, default=1, help="likewise")
    arguments = parser.parse_args()
    networks = {str(file): checkpoint.load(file).network for file in arguments.files}
    first = str(arguments.files[0])
    times = read_times(arguments.costs, networks[first])
    with tempfile.TemporaryDirectory() as folder:
        exported = {name: Path(folder) / f"{number}.onnx" for number, name in enumerate(networks)}
        for name, onnx in exported.items():
            export_onnx(Path(name), onnx, arguments.precision, agree=lambda *_: None)
        measured = measure_files(exported, "auto", arguments.threads, Patience())
    predicted = {name: predict(network, times) for name, network in networks.items()}
    worst = 0.0
    print(f"{'measured':>11} {'share':>6} {'predicted':>11} {'share':>6} {'off':>8}")
    for name in networks:
        share, expected = measured[name] / measured[first], predicted[name] / predicted[first]
        off = 100 * (expected / share - 1)
        worst = max(worst, abs(off))
        print(
            f"{measured[name]:8.3f} ms {share:6.3f} {predicted[name]:8.3f} ms {expected:6.3f} {off:+6.1f} %  "
            f"{Path(name).name}"
        )
    print(f"at most {worst:.1f} % off; {LIMIT:g} % are wanted")
    return int(worst > LIMIT)


def predict(network: Network, times: Times) -> float:
    """Milliseconds of a network by the times of its layers."""
    deployed = network.fused()
    runs = {path: found for path, found in layer_runs(deployed, work(deployed)).items() if found}
    return times.fixed + sum(times.of(path, found)(found[0].inputs, found[0].outputs) for path, found in runs.items())


if __name__ == "__main__":
    sys.exit(main())
