"""``bench``: how fast exported networks are on this machine, how well they see, and whether that is enough."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perception.command import say
from perception.errors import InputError
from perception.files import check_writable, write_json
from runtime.arguments import (
    MODEL,
    add_backend_arguments,
    add_protocol_arguments,
    natural,
    not_negative,
    open_with,
    positive,
)
from runtime.backends import Backend
from runtime.bench import RATES, compare_speed
from runtime.device import probe
from runtime.evaluate import evaluate
from runtime.gates import Limits, drops, judge, read_reference, require
from runtime.paced import measure_paced
from runtime.pipeline import check_single
from runtime.profile import check_profiler, profile
from runtime.report import build_report, model_record, names_of
from runtime.scenes import save_scenes
from runtime.sources import Source, drawn_source, open_source
from runtime.text import (
    drop_text,
    facts_text,
    gates_text,
    metrics_text,
    model_facts,
    paced_text,
    profile_text,
    run_text,
    speed_text,
)
from runtime.timing import Effort
from runtime.watch import Watch


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add ``bench``."""
    parser = subparsers.add_parser(
        "bench",
        help="measure how fast an exported network is on this machine, and whether that is enough",
        description="Measure three frame rates on this machine:\n"
        "  network  the device computes, nothing else\n"
        "  frame    one frame, start to end: pre-processing, copies, network, post-processing\n"
        "  stream   sustained, all of that overlapped, as in a running vehicle\n"
        "Several networks take turns, so that their ratios hold where the machine's speed wanders; what is asked for\n"
        "with --min-fps, --max-latency-p99 and --max-drop is asked of the last. Exit status 1 when it is missed; the\n"
        "report is written all the same.",
        epilog="examples:\n"
        "  %(prog)s student.onnx --source drive.mp4 --min-fps 32 --json report.json\n"
        "  %(prog)s teacher.onnx student.onnx --rate 30\n"
        "  %(prog)s student.onnx --data bdd100k --reference teacher.metrics.json --max-drop 2",
    )
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL", help=f"{MODEL}; compared with the first")
    add_backend_arguments(parser)
    parser.add_argument(
        "--source", help="picture, folder, video, camera or GStreamer pipeline to take frames from (default: drawn)"
    )
    parser.add_argument("--seconds", type=positive, default=Effort.seconds, help="measure each rate this long at least")
    parser.add_argument("--count", type=natural, default=Effort.count, help="and so many times at least")
    parser.add_argument("--rate", type=positive, metavar="FPS", help="see too how it keeps up with a camera this fast")
    parser.add_argument("--profile", action="store_true", help="say too which part of the network takes how long")
    parser.add_argument("--data", type=Path, help="data set to measure the accuracy on too")
    add_protocol_arguments(parser)
    parser.add_argument("--reference", type=Path, metavar="FILE", help="report or metrics to compare accuracy with")
    parser.add_argument("--min-fps", type=positive, metavar="FPS", help="fail where the rate is lower")
    parser.add_argument("--fps-of", choices=RATES, default="stream", help="the rate that --min-fps is about")
    parser.add_argument("--max-latency-p99", type=positive, metavar="MS", help="fail where 1 frame in 100 takes longer")
    parser.add_argument("--max-drop", type=not_negative, metavar="POINTS", help="fail where an accuracy drops by more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    parser.add_argument("--overlays", type=natural, metavar="N", help="save N frames beside it, with what is seen")
    parser.set_defaults(run=run_bench)


def run_bench(arguments: argparse.Namespace) -> None:
    """Measure, print, write the report, and only then judge."""
    limits = Limits(arguments.min_fps, arguments.fps_of, arguments.max_latency_p99, arguments.max_drop)
    reference = _reference(arguments)
    if arguments.json:
        check_writable(arguments.json)
    elif arguments.overlays:
        raise InputError("--overlays: beside what? name the report with --json")
    source = open_source(arguments.source) if arguments.source else drawn_source()
    with ExitStack() as stack:
        backends = [check_single(stack.enter_context(open_with(path, arguments))) for path in arguments.models]
        if arguments.profile:
            for backend in backends:
                check_profiler(backend)
        device = {**probe(), **backends[0].describe()}
        # First, because a data set or a reference that does not fit should not be found out after minutes.
        models = [model_record(backend, None, None) | _memory(backend) for backend in backends]
        for model, name in zip(models, names_of(arguments.models), strict=True):
            model["name"] = name
        for backend, model in zip(backends, models, strict=True):
            model |= _accuracy(backend, arguments, reference)
        watch = stack.enter_context(Watch())
        # Before the rates: it is short, and refuses files that do not say which layer is whose.
        if arguments.profile:
            for backend, model in zip(backends, models, strict=True):
                _add_profile(backend, model, watch)
        lost = _measure(backends, models, source, arguments, watch)
        scenes = save_scenes(backends, source, arguments.overlays, arguments.json) if arguments.overlays else []
        _tell_apart(models, [{**device, **backend.describe()} for backend in backends], device)
    models[-1]["gates"] = judge(models[-1], limits)
    run = watch.record(lost)
    if arguments.json:
        write_json(arguments.json, {**build_report(device, models, run), "overlays": scenes})
    print("\n\n".join(_parts(models, device, run)))
    require(models[-1]["gates"])


def _reference(arguments: argparse.Namespace) -> dict[str, Any] | None:
    if arguments.max_drop is not None and not arguments.reference:
        raise InputError("--max-drop: from what? name the checkpoint's figures with --reference")
    if arguments.reference and not arguments.data:
        raise InputError(f"--reference {arguments.reference}: nothing to compare; name the data set with --data")
    return read_reference(arguments.reference) if arguments.reference else None


def _memory(backend: Backend) -> dict[str, Any]:
    """The ``memory`` of a model record, where it is known."""
    taken = backend.memory()
    return {"memory": asdict(taken)} if taken else {}


def _accuracy(backend: Backend, arguments: argparse.Namespace, reference: dict[str, Any] | None) -> dict[str, Any]:
    """The ``metrics`` of a model record, and its ``drop`` where there is a reference."""
    if not arguments.data:
        return {}
    metrics = evaluate(backend, arguments.data, arguments.split, arguments.protocol)
    if reference is None:
        return {"metrics": metrics}
    points = drops(metrics, reference, arguments.reference)
    return {"metrics": metrics, "drop": {"reference": str(arguments.reference), "points": points}}


def _measure(
    backends: list[Backend], models: list[dict[str, Any]], source: Source, arguments: argparse.Namespace, watch: Watch
) -> str:
    """Add ``speed`` to the model records; returns the source's last words."""
    effort = Effort(arguments.seconds, arguments.count)
    speeds = compare_speed(backends, source, effort, say, watch.phase)
    lost = speeds.lost
    for backend, model, speed in zip(backends, models, speeds.records, strict=True):
        model["speed"] = speed
        if len(models) == 1 and speed["stream"] and (watts := watch.watts("stream")):
            # While several take turns, nobody can say whose power it was.
            speed["stream"] |= {"watts": watts, "frames_per_joule": speed["stream"]["fps"] / watts}
        if arguments.rate and not lost:
            say(f"paced: {model['name']} at {arguments.rate:g} frames a second for {arguments.seconds:g} s")
            with watch.phase(f"paced {model['name']}"):
                speed["paced"], lost = measure_paced(backend, source, arguments.rate, arguments.seconds)
    return lost


def _add_profile(backend: Backend, model: dict[str, Any], watch: Watch) -> None:
    say(f"profile: {model['name']}")
    with watch.phase(f"profile {model['name']}"):
        model["profile"] = profile(backend)


def _tell_apart(models: list[dict[str, Any]], devices: list[dict[str, Any]], common: dict[str, Any]) -> None:
    """Give a ``device`` of its own to each model that did not run like the first."""
    for model, device in zip(models, devices, strict=True):
        if device != common:
            model["device"] = device


def _parts(models: list[dict[str, Any]], device: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    """The report for a terminal."""
    yield facts_text(device)
    for model in models:
        yield facts_text({**model_facts(model), **model.get("device", {})})
    yield speed_text(models)
    for model in models:
        if model["speed"].get("paced"):
            yield paced_text(model)
        if "profile" in model:
            yield profile_text(model)
        if model["metrics"]:
            yield metrics_text(model["metrics"])
        if "drop" in model:
            yield drop_text(model["drop"])
    yield run_text(run)
    if gates := models[-1]["gates"]:
        yield gates_text(gates)
