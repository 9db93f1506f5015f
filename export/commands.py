"""Command-line arguments of this room's stages, shared by ``panoedge`` and ``python -m export``."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from perception.command import say
from perception.engine_file import LIBRARIES
from perception.errors import InputError
from perception.geometry import parse_size
from perception.spec import PRECISIONS, Deployed, Precision
from perception.tasks import MASK_TASKS


def register_export(subparsers: argparse._SubParsersAction) -> None:
    """``export``: write what a board runs, one subcommand a format."""
    parser = subparsers.add_parser(
        "export", help="write a checkpoint as a file that boards run", description="Write what a board runs."
    )
    formats = parser.add_subparsers(metavar="FORMAT", required=True)
    register_onnx(formats)
    register_engine(formats)


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
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32", help="of weights and activations; int8: of convolutions"
    )
    parser.add_argument("--size", metavar="HxW", help="input height and width, multiples of 32 (default: as trained)")
    parser.add_argument("--batch", type=int, default=1, help="pictures an inference takes")
    parser.add_argument(
        "--threshold",
        nargs="+",
        type=_threshold,
        default=(),
        metavar="TASK=P",
        help="probability above which a pixel counts, such as lane=0.3 (default: the checkpoint's)",
    )
    parser.add_argument(
        "--images", type=Path, help="picture, folder or video to calibrate and compare on (default: generated scenes)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="labelled data set: compare the metrics too; calibrate on it where there are no --images",
    )
    parser.add_argument(
        "--fp32-nodes",
        nargs="+",
        default=(),
        metavar="PATTERN",
        help="nodes that stay FP32, by their names or those of their weights, in place of those that measuring finds",
    )
    parser.set_defaults(run=_onnx)


def register_engine(subparsers: argparse._SubParsersAction) -> None:
    """``engine``: ONNX to TensorRT."""
    parser = subparsers.add_parser(
        "engine",
        help="build a TensorRT engine from an ONNX file",
        description="Build the engine that a GPU runs, on the very machine that will run it.\n"
        "With --target tensorrt-rtx no GPU is needed; TensorRT-RTX runs it on a GPU of a desktop, not on a Jetson.\n"
        "Nothing is built where the engine is there already, made of the same file by the same library.",
        epilog="examples:\n"
        "  %(prog)s student.onnx --out student.engine\n"
        "  %(prog)s student.onnx --out student.engine --target tensorrt-rtx --compute-capability 8.6",
    )
    parser.add_argument("onnx", type=Path, metavar="ONNX", help="file that panoedge export onnx wrote")
    parser.add_argument("--out", type=Path, required=True, help="engine to write (.engine)")
    parser.add_argument("--target", choices=LIBRARIES, default="tensorrt", help="library that builds and runs it")
    parser.add_argument(
        "--compute-capability",
        type=_compute_capability,
        metavar="X.Y",
        help="GPU that a tensorrt-rtx engine is for, such as 8.6 (default: every one that it knows)",
    )
    parser.add_argument(
        "--workspace",
        type=_mebibytes,
        metavar="MIB",
        help="most GPU memory that a layer may ask for beside its tensors, in MiB (default: all there is)",
    )
    parser.add_argument("--force", action="store_true", help="build it even if nothing changed")
    parser.set_defaults(run=_engine)


def _onnx(arguments: argparse.Namespace) -> None:
    from export.lowering import Calibration
    from export.onnx_writer import export_onnx
    from export.parity import Parity, compare
    from perception.networks.base import Network

    if arguments.out.suffix != ".onnx":
        raise InputError(f"{arguments.out}: the name of an ONNX file ends in .onnx")
    size = parse_size(arguments.size) if arguments.size else None
    calibration = Calibration(arguments.images, arguments.data, tuple(arguments.fp32_nodes))

    def show(network: Network, file: Path) -> Parity:
        parity = compare(network, file, arguments.images, arguments.data)
        print(parity.table())
        return parity

    def export(out: Path, precision: Precision, agree: Callable[[Network, Path], object]) -> Deployed:
        changes = {"size": size, "batch": arguments.batch, "thresholds": dict(arguments.threshold)}
        return export_onnx(
            arguments.checkpoint, out, precision, agree=agree, calibration=calibration, tell=print, **changes
        )

    if arguments.precision == "int8" and arguments.data:
        print("FP16, to compare with")
        with tempfile.TemporaryDirectory() as folder:
            export(Path(folder) / "fp16.onnx", "fp16", show)
        print("\nINT8")
    deployed = export(arguments.out, arguments.precision, lambda network, file: show(network, file).require())
    for caveat in _caveats(arguments):
        print(caveat)
    height, width = deployed.spec.size
    print(
        f"\n{arguments.out}: {deployed.network} in {deployed.precision.upper()}, input {height}x{width} (HxW), "
        f"batch {arguments.batch}, {deployed.parameters / 1e6:.2f} M parameters, {deployed.macs / 1e9:.2f} G MACs, "
        f"{arguments.out.stat().st_size / 1e6:.1f} MB"
    )


def _caveats(arguments: argparse.Namespace) -> Iterator[str]:
    """What was not looked at for want of data."""
    if arguments.precision == "fp32" or arguments.data:
        return
    if not (arguments.images or arguments.fp32_nodes):
        yield "calibrated on generated scenes: for photographs, name some with --images or --data"
    yield "metrics not compared: for those of each task, name labelled frames with --data"


def _engine(arguments: argparse.Namespace) -> None:
    from export.engine import Options, build_engine

    if arguments.out.suffix != ".engine":
        raise InputError(f"{arguments.out}: an engine's name ends in .engine")
    options = Options(arguments.target, arguments.compute_capability, arguments.workspace)
    record = build_engine(arguments.onnx, arguments.out, options, arguments.force, say)
    source = record.source
    capability = source.compute_capability
    built_for = source.gpu or (f"compute capability {capability}" if capability else "every GPU it knows")
    print(
        f"{arguments.out}: {record.deployed.network} in {record.deployed.precision.upper()}, "
        f"{source.library} {source.version} for {built_for}, built in {record.seconds:.1f} s, "
        f"{arguments.out.stat().st_size / 1e6:.1f} MB"
    )


def _threshold(text: str) -> tuple[str, float]:
    task, _, number = text.partition("=")
    try:
        threshold = float(number)
    except ValueError:
        threshold = 0.0
    if task not in MASK_TASKS or not 0 < threshold < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {' or '.join(MASK_TASKS)} and a probability, as lane=0.3")
    return task, threshold


def _compute_capability(text: str) -> str:
    major, point, minor = text.partition(".")
    if not (point and major.isdecimal() and minor.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a compute capability, such as 8.6")
    return text


def _mebibytes(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
