"""``cost``: what the layers of a network take on this machine, for latency budgets."""

import argparse
from pathlib import Path

from perception.files import check_writable
from perception.layer_times import LayerTimes, write_times
from runtime.arguments import natural
from runtime.backends import PROVIDERS
from runtime.cost import measure_costs


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add ``cost``, for where only this room is installed."""
    parser = subparsers.add_parser(
        "cost",
        help="measure what the layers of a network take on this machine",
        description="Measure the layers that panoedge cost FILE --bundle DIR wrote, for panoedge prune --costs.",
        epilog="example:\n  %(prog)s layers/ --out costs.json",
    )
    parser.add_argument("bundle", type=Path, metavar="DIR", help="folder of layers; engines in it go before ONNX files")
    add_measuring_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="what was measured, as JSON")
    parser.set_defaults(run=lambda arguments: measure_folder(arguments.bundle, arguments))


def add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """What :func:`measure_folder` needs."""
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="auto", help="where it computes; auto: CUDA if there is one"
    )
    parser.add_argument(
        "--threads", type=natural, default=1, help="CPU threads; with one, other programs hardly disturb"
    )


def measure_folder(folder: Path, arguments: argparse.Namespace) -> None:
    """Measure ``folder``, write ``arguments.out`` and print how well whole networks are predicted."""
    check_writable(arguments.out)
    times = measure_costs(folder, arguments.provider, arguments.threads)
    write_times(arguments.out, times)
    print(times_text(times))


def times_text(times: LayerTimes) -> str:
    """What was measured, for a terminal."""
    count = sum(len(grid.inputs) * len(grid.outputs) for grid in times.grids.values())
    lines = [f"{count} layers of {len(times.grids)} kinds on {times.device['name']}", "", "whole networks:"]
    for check in times.checks:
        off = 100 * (check["predicted"] / check["ms"] - 1)
        lines.append(f"  {check['name']:24} {check['ms']:8.3f} ms, predicted {check['predicted']:8.3f} ({off:+.1f} %)")
    return "\n".join(lines)
