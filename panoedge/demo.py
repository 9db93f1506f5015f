"""The whole road on the embedded default: ``panoedge demo --out runs/demo``.

Fresh synthetic scenes, the embedded teacher, pruning to 67.3 % of its parameters, distillation, ONNX in FP32 and FP16,
metrics of every stage on frames none of them has seen, frame rates on this machine, and a report.
"""

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception.command import say
from perception.errors import GateFailed
from perception.files import writable_folder

TEACHER = Path(__file__).parent / "assets" / "teacher.safetensors"
# Points the student may lie behind its teacher.
BOUNDS = {"recall": 1.2, "mAP50": 1.8, "drivable_mIoU": 0.5, "lane_IoU": 0.5}


@dataclass(frozen=True)
class DemoSettings:
    """Sizes of the demonstration; the defaults take some minutes on two cores.

    Attributes:
        train, val: frames to draw. The teacher was trained on scenes of another seed.
        seed: of those scenes and of distillation.
        share: of the parameters that stays.
        epochs: of distillation.
        seconds: each frame rate is measured for.
    """

    train: int = 800
    val: int = 500
    seed: int = 2026
    share: float = 0.673
    epochs: int = 5
    seconds: float = 3.0


def register(subparsers: argparse._SubParsersAction) -> None:
    """``demo``: the whole road in one command."""
    parser = subparsers.add_parser(
        "demo",
        help="walk the whole road on the embedded teacher and write a report",
        description="Draw scenes, prune, distill and export the embedded teacher, measure every stage, write a report.",
        epilog="example:\n  %(prog)s --out runs/demo",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for everything it makes")
    parser.add_argument("--photographs", type=Path, help="folder of pictures to show what both see (default: scenes)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    demo(arguments.out, arguments.photographs)


def demo(out: Path, photographs: Path | None = None, settings: DemoSettings | None = None) -> dict[str, Any]:
    """Walk the road into the folder ``out``; returns the report, which shows what both networks see in ``photographs``,
    or in some of the scenes.

    Raises:
        InputError: where ``out`` cannot be written, or there are no ``photographs``.
        GateFailed: where the student lies further behind its teacher than ``BOUNDS``; the report is written before.
    """
    from panoedge.report import write_report
    from perception import data
    from perception.evaluation import headline
    from runtime.report import build_report

    settings = settings or DemoSettings()
    writable_folder(out)
    if photographs:
        next(data.pictures(photographs))
    files = walk(out, settings)
    say("measuring every stage")
    title = f"panoedge demo: the embedded teacher at {100 * settings.share:.1f} % of its parameters"
    report = {**build_report(*measure(files, out / "scenes", settings)), "title": title}
    pictures = photographs or out / "scenes" / "images" / "val"
    write_report(report, out, overlays(files["teacher-fp32"], files["student-fp32"], pictures))
    print(out / "report.html")
    scores = {model["name"]: headline(model["metrics"]) for model in report["models"] if model["metrics"]}
    behind = {name: 100 * (scores["teacher"][name] - scores["student"][name]) for name in BOUNDS}
    if missed := [
        f"{name} {behind[name]:.2f} (at most {bound})" for name, bound in BOUNDS.items() if behind[name] > bound
    ]:
        raise GateFailed(f"points behind the teacher: {', '.join(missed)}")
    return report


def walk(out: Path, settings: DemoSettings) -> dict[str, Path]:
    """Scenes, pruning, distillation and export; returns the network files by name, in the report's order."""
    from compress.data import Source
    from compress.distill import DistillSettings, distill
    from compress.loop import Schedule
    from compress.plan import Budget
    from compress.prune import PruneSettings, prune_checkpoint
    from compress.train import TrainSettings
    from export.onnx_writer import export_onnx
    from perception.synthetic import write

    scenes, pruned, student = out / "scenes", out / "pruned.safetensors", out / "student.safetensors"
    if not scenes.exists():
        say("drawing scenes")
        write(scenes, settings.train, settings.val, settings.seed)
    data = [Source(scenes)]
    say(f"pruning to {100 * settings.share:.1f} % of the parameters")
    budget = Budget("params", settings.share)
    prune_checkpoint(TEACHER, data, PruneSettings(budget, rounds=3, calibration=64, reestimation=256), pruned)
    say("distilling")
    schedule = Schedule(settings.epochs, lr=1e-3, seed=settings.seed)
    training = TrainSettings(data, schedule, validate_every=0, cache=True)
    distill(pruned, TEACHER, training, DistillSettings(), student)
    say("exporting")
    files = {"teacher-fp32": out / "teacher-fp32.onnx", "teacher": TEACHER, "pruned": pruned, "student": student}
    files |= {f"student-{precision}": out / f"student-{precision}.onnx" for precision in ("fp16", "fp32")}
    export_onnx(TEACHER, files["teacher-fp32"])
    export_onnx(student, files["student-fp16"], "fp16")
    export_onnx(student, files["student-fp32"])
    return files


def measure(
    files: dict[str, Path], scenes: Path, settings: DemoSettings
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Accuracy of every file on the validation scenes, frame rates of the exported ones, which take turns.

    Returns:
        The device, the records of the models and that of the run, as :func:`runtime.report.build_report` takes them.
    """
    from panoedge.models import CheckpointModel, open_model
    from runtime.backends import open_backend
    from runtime.bench import compare_speed
    from runtime.device import probe
    from runtime.evaluate import evaluate
    from runtime.report import model_record
    from runtime.sources import drawn_source
    from runtime.timing import Effort
    from runtime.watch import Watch

    models = {}
    for name, path in files.items():
        with open_model(path) as model:
            history = model.history if isinstance(model, CheckpointModel) else []
            models[name] = {**model_record(model, evaluate(model, scenes), None), "name": name, "history": history}
    exported = [name for name, path in files.items() if path.suffix == ".onnx"]
    with ExitStack() as stack:
        backends = [stack.enter_context(open_backend(files[name])) for name in exported]
        device = {**probe(), **backends[0].describe()}
        watch = stack.enter_context(Watch())
        speeds = compare_speed(backends, drawn_source(), Effort(settings.seconds, 30), say, watch.phase)
    for name, speed in zip(exported, speeds.records, strict=True):
        models[name]["speed"] = speed
    return device, list(models.values()), watch.record(speeds.lost)


def overlays(teacher: Path, student: Path, pictures: Path, limit: int = 6) -> list[Any]:
    """Up to ``limit`` pictures as both networks see them, side by side."""
    from itertools import islice

    from panoedge.report import Overlay, Panel
    from perception import data
    from runtime.backends import open_backend
    from runtime.overlay import draw
    from runtime.pipeline import Frame, Perceiver

    scenes = []
    with open_backend(teacher) as first, open_backend(student) as second:
        eyes = {"teacher": Perceiver(first), "student": Perceiver(second)}
        for name, image in islice(data.pictures(pictures), limit):
            panels = []
            for label, perceiver in eyes.items():
                seen = perceiver(Frame(name, image))
                panels.append(Panel(label, draw(image, seen.prediction, seen.fit, perceiver.backend.info.spec)))
            scenes.append(Overlay(name, panels))
    return scenes
