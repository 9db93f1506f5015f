"""The subcommands of this room, for ``python -m runtime`` and for the face to reuse."""

import argparse
from collections.abc import Callable
from pathlib import Path

from perception.files import check_writable, write_json
from runtime.arguments import MODEL, add_backend_arguments, add_protocol_arguments, natural, open_with
from runtime.backends import Model, Provider, open_backend
from runtime.engine_info import engine_facts
from runtime.evaluate import evaluate
from runtime.report import model_record
from runtime.run import run
from runtime.sources import open_source
from runtime.text import count_text, facts_text, metrics_text, model_facts


def register_run(subparsers: argparse._SubParsersAction) -> None:
    """``run``: overlays on pictures and videos."""
    parser = subparsers.add_parser(
        "run",
        help="show what an exported network sees, painted over pictures or a video",
        description="Paint boxes with scores, drivable area (green) and lane lines (magenta) over each frame.",
        epilog="examples:\n"
        "  %(prog)s student.onnx --source drive.mp4 --out seen.mp4\n"
        "  %(prog)s student.onnx --source photographs/ --out seen/\n"
        "  %(prog)s student.onnx --source 0 --frames 300 --out camera.mp4",
    )
    add_info_arguments(parser)
    add_backend_arguments(parser)
    parser.add_argument(
        "--source", required=True, help="picture, folder, video, camera (its number or /dev/videoN), GStreamer pipeline"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="picture (.jpg, .png), video (.mp4), or a folder for one JPEG a frame"
    )
    parser.add_argument("--frames", type=natural, help="stop after so many; a camera also stops at Ctrl-C")
    parser.set_defaults(run=run_run)


def register_evaluate(subparsers: argparse._SubParsersAction) -> None:
    """``evaluate``: accuracy on a data set."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure how well an exported network sees, on labelled frames",
        description="Measure detection, drivable area and lane lines with one of two published protocols.",
        epilog="example:\n  %(prog)s student.onnx --data bdd100k --json metrics.json",
    )
    add_evaluate_arguments(parser)
    parser.set_defaults(run=run_evaluate)


def register_info(subparsers: argparse._SubParsersAction) -> None:
    """``info``: what a file is."""
    parser = subparsers.add_parser(
        "info",
        help="say what an exported network is",
        description="Print what the file says of itself: network, precision, input, size.",
        epilog="example:\n  %(prog)s student.onnx",
    )
    add_info_arguments(parser)
    parser.set_defaults(run=run_info)


def add_evaluate_arguments(parser: argparse.ArgumentParser, model: str = MODEL) -> None:
    """What :func:`run_evaluate` needs; ``model`` says for ``--help`` what it opens."""
    add_info_arguments(parser, model)
    add_backend_arguments(parser)
    parser.add_argument("--data", type=Path, required=True, help="data set: YOLOP, RMT-PPAD or BDD100K layout")
    add_protocol_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all metrics here")


def add_info_arguments(parser: argparse.ArgumentParser, model: str = MODEL) -> None:
    """What :func:`run_info` needs; ``model`` says for ``--help`` what it opens."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=model)


def run_run(arguments: argparse.Namespace) -> None:
    """Write overlays."""
    source = open_source(arguments.source)
    with open_with(arguments.model, arguments) as backend:
        count = run(backend, source, arguments.out, arguments.frames)
    print(f"{arguments.out}: {count_text(count)} of {source.label}")


def run_evaluate(arguments: argparse.Namespace, opener: Callable[[Path, Provider, int], Model] = open_backend) -> None:
    """Measure accuracy, print the headline, write the rest; ``opener`` takes path, provider and threads."""
    if arguments.json:
        check_writable(arguments.json)
    with opener(arguments.model, arguments.provider, arguments.threads or 0) as model:
        metrics = evaluate(model, arguments.data, arguments.split, arguments.protocol)
    if arguments.json:
        write_json(arguments.json, metrics)
    print(metrics_text(metrics))


def run_info(arguments: argparse.Namespace) -> None:
    """Print what a file says of itself."""
    if arguments.model.suffix == ".engine":
        print(facts_text(engine_facts(arguments.model)))
        return
    with open_backend(arguments.model, "cpu") as backend:
        model = model_record(backend, metrics=None, speed=None)
        print(facts_text({**model_facts(model), "checkpoint": backend.info.checkpoint_sha256, "batch": backend.batch}))
