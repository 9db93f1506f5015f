"""``panoedge evaluate``, ``info`` and ``verify``, for every kind of file that this project writes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoedge.models import CHECKPOINT, EXPORTED, CheckpointModel, open_model
from panoedge.report import markdown
from panoedge.report.document import document
from panoedge.report.history import stage
from panoedge.report.schema import load
from perception.errors import InputError, one_line
from runtime import verify_command
from runtime.commands import add_evaluate_arguments, add_info_arguments, run_evaluate, run_info
from runtime.report import model_record
from runtime.text import facts_text, model_facts

if TYPE_CHECKING:
    from perception.networks.base import Network


def register_evaluate(subparsers: argparse._SubParsersAction) -> None:
    """``evaluate``: accuracy on a data set."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure how well a network sees, on labelled frames",
        description="Measure detection, drivable area and lane lines with one of two published protocols.",
        epilog="examples:\n"
        "  %(prog)s teacher.safetensors --data bdd100k\n"
        "  %(prog)s student.onnx --data bdd100k --protocol yolop --json metrics.json",
    )
    add_evaluate_arguments(parser, "checkpoint (.safetensors) or exported network (.onnx, .engine)")
    parser.set_defaults(run=lambda arguments: run_evaluate(arguments, open_model))


def register_info(subparsers: argparse._SubParsersAction) -> None:
    """``info``: what a file is."""
    parser = subparsers.add_parser(
        "info",
        help="say what a checkpoint, an exported network or a report is",
        description="Print what a file says of itself: network, input, size, cost, and how it came about.",
        epilog="examples:\n  %(prog)s student.safetensors\n  %(prog)s student.safetensors --layers",
    )
    add_info_arguments(parser, "checkpoint (.safetensors), exported network (.onnx, .engine) or report (.json)")
    parser.add_argument("--layers", action="store_true", help="of a checkpoint: name its layers and their channels too")
    parser.set_defaults(run=_info)


def register_verify(subparsers: argparse._SubParsersAction) -> None:
    """``verify``: whether two files of one network see the same."""
    verify_command.register(subparsers, "checkpoint (.safetensors) or exported network (.onnx, .engine)", open_model)


def _info(arguments: argparse.Namespace) -> None:
    path: Path = arguments.model
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if arguments.layers and path.suffix != CHECKPOINT:
        raise InputError(f"{path}: --layers is for checkpoints ({CHECKPOINT})")
    if path.suffix == CHECKPOINT:
        print(checkpoint_text(path, arguments.layers))
    elif path.suffix in EXPORTED:
        run_info(arguments)
    elif path.suffix == ".json":
        print(report_text(path))
    else:
        raise InputError(
            f"{path}: no checkpoint ({CHECKPOINT}), exported network ({', '.join(EXPORTED)}) or report (.json)"
        )


def checkpoint_text(path: Path, layers: bool = False) -> str:
    """A checkpoint's network, its cost, how many channels are left of those it was made with (layer by layer where
    ``layers``), and its past.

    Raises:
        InputError: see :func:`perception.checkpoint.load`.
    """
    with CheckpointModel(path, "cpu") as model:
        network = model.network
        facts = {
            **model_facts(model_record(model, metrics=None, speed=None)),
            "configuration": ", ".join(f"{name} {value}" for name, value in network.config.items()),
            "thresholds": ", ".join(f"{task} {value:g}" for task, value in network.spec.thresholds.items()),
            **{f"channels of {region}": text for region, text in _channels(network).items()},
        }
        parts = [facts_text(_layers(network))] if layers else []
        stages = [_stage_text(number, entry) for number, entry in enumerate(model.history, 1)]
    return "\n\n".join([facts_text(facts), *parts, "history:" if stages else "no history", *stages])


def report_text(path: Path) -> str:
    """A report as Markdown, without its pictures.

    Raises:
        InputError: it is no report.
    """
    return markdown.render(document(load(path), [])).rstrip()


def _layers(network: "Network") -> dict[str, str]:
    """What each layer that has weights of channels writes, now and in an unpruned network, and its parameters."""
    now, once = _widths(network)
    texts = {}
    for path, (_, written, _) in now.items():
        of = "" if once[path][1] == written else f" of {once[path][1]}"
        size = sum(parameter.numel() for parameter in network.get_submodule(path).parameters())
        texts[path] = f"{f'{written}{of} channels':22}  {size:9,} parameters"
    return texts


def _widths(network: "Network") -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Widths by layer: now, and of an unpruned network of the same configuration."""
    from perception.checkpoint import layer_widths

    return layer_widths(network), layer_widths(type(network)(**network.config))


def _channels(network: "Network") -> dict[str, str]:
    """Output channels of the layers of each region: now, and of an unpruned network of the same configuration."""
    now, once = _widths(network)
    texts = {}
    for region, prefixes in network.regions.items():
        inside = [path for path in now if any(f"{path}.".startswith(f"{prefix}.") for prefix in prefixes)]
        left, made = (sum(widths[path][1] for path in inside) for widths in (now, once))
        texts[region] = f"{left} of {made} ({100 * left / made:.1f} %)" if left < made else f"{made}, none removed"
    return texts


def _stage_text(number: int, entry: dict[str, Any]) -> str:
    told = stage(entry)
    lines = [f"{number}. {told.title}", *(f"   {name}: {value}" for name, value in told.settings)]
    return "\n".join(map(one_line, lines))
