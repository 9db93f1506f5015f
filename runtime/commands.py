"""The subcommands of this room, for ``python -m runtime`` and for the face to reuse."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from perception.command import say
from perception.errors import GateFailed
from perception.files import check_writable, write_json
from perception.metrics.protocols import PROTOCOLS
from runtime.backends import PROVIDERS, Backend, Model, Provider, open_backend
from runtime.bench import RATES, measure_speed
from runtime.device import Facts, probe
from runtime.evaluate import evaluate
from runtime.report import build_report, gate_record, model_record
from runtime.run import run
from runtime.sources import drawn_source, open_source
from runtime.text import facts_text, metrics_text, model_facts, speed_text
from runtime.timing import Effort

_MODEL = "exported network (.onnx)"


def register_bench(subparsers: argparse._SubParsersAction) -> None:
    """``bench``: frame rates, accuracy, and a gate."""
    parser = subparsers.add_parser(
        "bench",
        help="measure how fast an exported network is on this machine, and whether that is enough",
        description="Measure three frame rates on this machine:\n"
        "  network  the device computes, nothing else\n"
        "  frame    one frame, start to end: pre-processing, copies, network, post-processing\n"
        "  stream   sustained, all of that overlapped, as in a running vehicle\n"
        "Exit status 1 when the rate asked for with --min-fps is missed; the report is written all the same.",
        epilog="example:\n  %(prog)s student.onnx --source drive.mp4 --min-fps 32 --json report.json",
    )
    _add_backend_arguments(parser)
    parser.add_argument("--source", help="picture, folder, video or camera to take frames from (default: drawn frames)")
    parser.add_argument("--min-fps", type=_positive, help="fail where the rate is lower")
    parser.add_argument("--fps-of", choices=RATES, default="stream", help="the rate that --min-fps is about")
    parser.add_argument(
        "--seconds", type=_positive, default=Effort.seconds, help="measure each rate this long at least"
    )
    parser.add_argument("--count", type=_natural, default=Effort.count, help="and so many times at least")
    parser.add_argument("--data", type=Path, help="data set to measure the accuracy on too")
    _add_protocol_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    parser.set_defaults(run=run_bench)


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
    _add_backend_arguments(parser)
    parser.add_argument("--source", required=True, help="picture, folder, video, or the number of a camera")
    parser.add_argument(
        "--out", type=Path, required=True, help="picture (.jpg, .png), video (.mp4), or a folder for one JPEG a frame"
    )
    parser.add_argument("--frames", type=_natural, help="stop after so many; a camera also stops at Ctrl-C")
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


def add_evaluate_arguments(parser: argparse.ArgumentParser, model: str = _MODEL) -> None:
    """What :func:`run_evaluate` needs; ``model`` says for ``--help`` what it opens."""
    _add_backend_arguments(parser, model)
    parser.add_argument("--data", type=Path, required=True, help="data set: YOLOP, RMT-PPAD or BDD100K layout")
    _add_protocol_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all metrics here")


def add_info_arguments(parser: argparse.ArgumentParser, model: str = _MODEL) -> None:
    """What :func:`run_info` needs; ``model`` says for ``--help`` what it opens."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=model)


def run_bench(arguments: argparse.Namespace) -> None:
    """Measure, print, write the report, and only then judge."""
    if arguments.json:
        check_writable(arguments.json)
    source = open_source(arguments.source) if arguments.source else drawn_source()
    with _open(arguments) as backend:
        device: Facts = {**probe(), **backend.describe()}
        metrics = _evaluate(backend, arguments) if arguments.data else None
        speed = measure_speed(backend, source, Effort(arguments.seconds, arguments.count), say)
        model = model_record(backend, metrics, speed)
    gate = gate_record(speed, arguments.fps_of, arguments.min_fps) if arguments.min_fps else None
    if arguments.json:
        write_json(arguments.json, build_report(device, model, gate))
    parts = [facts_text({**model_facts(model), **device}), speed_text(speed)]
    if metrics:
        parts.append(metrics_text(metrics))
    print("\n\n".join(parts))
    if gate and not gate["passed"]:
        raise GateFailed(f"{gate['fps_of']} {gate['fps']:.1f} FPS, at least {gate['min_fps']:g} asked for")


def run_run(arguments: argparse.Namespace) -> None:
    """Write overlays."""
    source = open_source(arguments.source)
    with _open(arguments) as backend:
        count = run(backend, source, arguments.out, arguments.frames)
    print(f"{arguments.out}: {count} frame{'s' * (count != 1)} of {source.label}")


def run_evaluate(arguments: argparse.Namespace, opener: Callable[[Path, Provider, int], Model] = open_backend) -> None:
    """Measure accuracy, print the headline, write the rest; ``opener`` takes path, provider and threads."""
    if arguments.json:
        check_writable(arguments.json)
    with opener(arguments.model, arguments.provider, arguments.threads or 0) as model:
        metrics = _evaluate(model, arguments)
    if arguments.json:
        write_json(arguments.json, metrics)
    print(metrics_text(metrics))


def run_info(arguments: argparse.Namespace) -> None:
    """Print what a file says of itself."""
    with open_backend(arguments.model, "cpu") as backend:
        model = model_record(backend, metrics=None, speed=None)
        print(facts_text({**model_facts(model), "checkpoint": backend.info.checkpoint_sha256, "batch": backend.batch}))


def _add_backend_arguments(parser: argparse.ArgumentParser, model: str = _MODEL) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help=model)
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="auto", help="where it computes; auto: CUDA if there is one"
    )
    parser.add_argument(
        "--threads", type=_natural, help="CPU threads of the network (default: as the library sees fit)"
    )


def _add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", default="val", help="part of the data set")
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), default="rmt-ppad", help="whose metrics")


def _open(arguments: argparse.Namespace) -> Backend:
    return open_backend(arguments.model, arguments.provider, arguments.threads or 0)


def _evaluate(model: Model, arguments: argparse.Namespace) -> dict:
    return evaluate(model, arguments.data, arguments.split, arguments.protocol)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
