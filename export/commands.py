"""Command-line arguments of this room's stages, shared by ``panoedge`` and ``python -m export``."""

import argparse
from pathlib import Path

from perception.geometry import parse_size


def register_export(subparsers: argparse._SubParsersAction) -> None:
    """``export``: write what a board runs, one subcommand a format."""
    parser = subparsers.add_parser(
        "export", help="write a checkpoint as a file that boards run", description="Write what a board runs."
    )
    register_onnx(parser.add_subparsers(metavar="FORMAT", required=True))


def register_onnx(subparsers: argparse._SubParsersAction) -> None:
    """``onnx``: checkpoint to ONNX."""
    parser = subparsers.add_parser(
        "onnx",
        help="write a checkpoint as ONNX",
        description="Write a checkpoint as ONNX, run the file and compare it with the network.\n"
        "Exit status 1 when they differ by more than the precision explains; then no file is written.",
        epilog="example:\n  %(prog)s student.safetensors --out student.onnx --precision fp16 --images photographs/",
    )
    parser.add_argument("checkpoint", type=Path, metavar="FILE", help="checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help="of weights and activations")
    parser.add_argument("--size", metavar="HxW", help="input height and width, multiples of 32 (default: as trained)")
    parser.add_argument("--batch", type=int, default=1, help="pictures an inference takes")
    parser.add_argument(
        "--images", type=Path, help="picture, folder or video to compare on (default: generated scenes)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled data set: compare the metrics too")
    parser.set_defaults(run=_onnx)


def _onnx(arguments: argparse.Namespace) -> None:
    from export.onnx_writer import export_onnx
    from export.parity import compare
    from perception.networks.base import Network

    def agree(network: Network, file: Path) -> None:
        parity = compare(network, file, arguments.images, arguments.data)
        print(parity.table())
        parity.require()

    size = parse_size(arguments.size) if arguments.size else None
    deployed = export_onnx(arguments.checkpoint, arguments.out, arguments.precision, size, arguments.batch, agree)
    height, width = deployed.spec.size
    print(
        f"\n{arguments.out}: {deployed.network} in {deployed.precision.upper()}, input {height}x{width} (HxW), "
        f"batch {arguments.batch}, {deployed.parameters / 1e6:.2f} M parameters, {deployed.macs / 1e9:.2f} G MACs, "
        f"{arguments.out.stat().st_size / 1e6:.1f} MB"
    )
