"""``panoedge cost``: what the layers of a network take, measured here or on a board, for latency budgets."""

import argparse
import tempfile
from pathlib import Path

from perception.command import say
from perception.engine_file import LIBRARIES
from perception.errors import InputError
from perception.files import check_writable
from runtime.cost_command import add_measuring_arguments, measure_folder

# Whole networks that single layers are fitted to, by the share of every group's channels that they keep.
SHARES = (1.0, 0.6, 0.3)


def register(subparsers: argparse._SubParsersAction) -> None:
    """``cost``: measure, or write what is to be measured."""
    parser = subparsers.add_parser(
        "cost",
        help="measure what the layers of a network take, for latency budgets",
        description="Measure each kind of layer at several widths, and whole networks that they are fitted to.\n"
        "For a board: write them with --bundle, carry the folder there, measure it, carry the JSON file back.",
        epilog="examples:\n"
        "  %(prog)s teacher.safetensors --out costs.json\n"
        "  %(prog)s teacher.safetensors --precision fp16 --bundle layers/\n"
        "  %(prog)s layers/ --target tensorrt --out costs.json       on the board",
    )
    parser.add_argument("model", type=Path, metavar="FILE|DIR", help="checkpoint, or a folder that --bundle wrote")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="write the layers here, to be measured elsewhere")
    parser.add_argument("--precision", choices=("fp32", "fp16"), help="of a checkpoint's layers (default: fp32)")
    parser.add_argument(
        "--target", choices=LIBRARIES, help="build an engine of each layer first (default: ONNX Runtime)"
    )
    add_measuring_arguments(parser)
    parser.add_argument("--out", type=Path, help="what was measured, as JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    model: Path = arguments.model
    if bool(arguments.bundle) == bool(arguments.out):
        raise InputError("cost: give either --out FILE, to measure here, or --bundle DIR, to measure elsewhere")
    if model.is_dir() and (arguments.bundle or arguments.precision):
        raise InputError(f"{model}: its layers are written already; --bundle and --precision are for a checkpoint")
    if arguments.bundle and arguments.target:
        raise InputError("cost: --target builds engines where layers are measured, not where --bundle writes them")
    if arguments.out:
        check_writable(arguments.out)
    precision = arguments.precision or "fp32"
    if arguments.bundle:
        write_layers(model, arguments.bundle, precision)
        print(f"{arguments.bundle}: now measure it where the network will run: panoedge cost DIR --out costs.json")
    elif model.is_dir():
        _measure(model, arguments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_layers(model, Path(folder), precision)
            _measure(Path(folder), arguments)


def write_layers(source: Path, folder: Path, precision: str) -> None:
    """Write what must be measured to know what the network of checkpoint ``source`` costs at any width.

    Raises:
        InputError: ``source`` is no checkpoint, or ``folder`` cannot be written.
    """
    from compress.latency import layers_of, slimmed, widths_to_measure
    from export.layer_bundle import write_bundle
    from perception import checkpoint
    from perception.layer_bundle import Bundle

    network = checkpoint.load(source).network
    axes = widths_to_measure(network)
    with tempfile.TemporaryDirectory() as temporary:
        wholes, layers = {}, {}
        for share in SHARES:
            name = f"network-{share:g}.onnx"
            slim = slimmed(network, share)
            wholes[name] = Path(temporary) / f"{share:g}.safetensors"
            checkpoint.save(wholes[name], slim, [])
            layers[name] = tuple(layer for layer in layers_of(slim) if layer.kind in axes)
        write_bundle(folder, Bundle(network.name, precision, axes, layers), wholes)


def _measure(folder: Path, arguments: argparse.Namespace) -> None:
    if arguments.target:
        _build(folder, arguments.target)
    measure_folder(folder, arguments)


def _build(folder: Path, library: str) -> None:
    """An engine beside each ONNX file; those that are there and up to date stay."""
    from export.engine import Options, build_engine

    files = sorted(folder.glob("*.onnx"))
    for number, file in enumerate(files, 1):
        say(f"engine {number} of {len(files)}: {file.stem}")
        build_engine(file, file.with_suffix(".engine"), Options(library))  # type: ignore[arg-type]
