"""Command-line arguments of this room's stages, shared by ``panoedge`` and ``python -m compress``."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from compress.names import CONFLICT_SOURCES, IMPORTANCES, PENALTIES
from perception.data import ON_BAD
from perception.errors import InputError
from perception.geometry import parse_size


def register_train(subparsers: argparse._SubParsersAction) -> None:
    """``train``: a network from labelled frames."""
    parser = subparsers.add_parser(
        "train",
        help="train a network from labelled frames",
        description="Train a network from labelled frames and write a checkpoint.\n\n"
        "example: panoedge train --network yolop --width 0.35 --size 192x320 --data scenes --out teacher.safetensors",
    )
    parser.add_argument("--network", default="yolop", help="architecture")
    parser.add_argument("--width", type=float, help="multiplies every channel count")
    parser.add_argument("--depth", type=float, help="multiplies the layers of every block; not every network has it")
    parser.add_argument("--size", help="network input, HEIGHTxWIDTH, multiples of 32; the network's own where absent")
    parser.add_argument(
        "--resize", choices=("letterbox", "stretch"), help="how pictures are placed; the network's own where absent"
    )
    parser.add_argument("--start", type=Path, help="checkpoint to start from; the five options above are then its own")
    add_training_arguments(parser, epochs=50, lr=2e-3)
    parser.add_argument(
        "--task-weights",
        nargs="+",
        default=[],
        metavar="TASK=FACTOR",
        help="what a task's loss counts, such as lane=2; 1 where absent",
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_jointly(_train))


def add_training_arguments(parser: argparse.ArgumentParser, epochs: int, lr: float, needs_data: bool = True) -> None:
    """Data, schedule and machine, as every command that trains takes them."""
    parser.add_argument(
        "--data", nargs="+", required=needs_data, default=[], metavar="DIR[:N]", help="data sets; N: times an epoch"
    )
    parser.add_argument("--epochs", type=int, default=epochs, help="passes over the data")
    parser.add_argument("--batch", type=int, default=16, help="images a step, of all processes together")
    parser.add_argument("--lr", type=float, default=lr, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of order, augmentation and initial weights")
    parser.add_argument(
        "--validate-every", type=int, default=5, metavar="N", help="epochs between validations; 0: never"
    )
    parser.add_argument("--validate-frames", type=int, default=300, metavar="N", help="frames a validation looks at")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto", help="of convolutions")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and augment; 0: none of their own")
    parser.add_argument("--cache", action="store_true", help="keep the frames in memory at input size")
    _add_on_bad_data(parser)
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run of the same command")


def training_settings(arguments: argparse.Namespace, unlabelled: Sequence[str] = ()):
    """:class:`compress.train.TrainSettings` from :func:`add_training_arguments`' arguments, and pictures without
    labels beside."""
    from compress.data import Source
    from compress.loop import Schedule
    from compress.train import TrainSettings

    sources = [Source.parse(text) for text in arguments.data]
    sources += [Source.parse(text, labelled=False) for text in unlabelled]
    if not sources:
        raise InputError("no pictures to learn from; name --data, --unlabelled or both")
    return TrainSettings(
        sources=sources,
        schedule=Schedule(arguments.epochs, arguments.batch, arguments.lr, seed=arguments.seed),
        validate_every=arguments.validate_every,
        validate_frames=arguments.validate_frames,
        device=arguments.device,
        precision=arguments.precision,
        workers=arguments.workers,
        cache=arguments.cache,
        on_bad=arguments.on_bad_data,
    )


def register_prune(subparsers: argparse._SubParsersAction) -> None:
    """``prune``: remove channels until a budget is met."""
    parser = subparsers.add_parser(
        "prune",
        help="remove the channels that no task misses, down to a budget",
        description="Remove channels until a budget of parameters, multiply-accumulates or time is met.",
        epilog="examples:\n"
        "  %(prog)s teacher.safetensors --data scenes --budget params=0.673 --out pruned.safetensors\n"
        "  %(prog)s teacher.safetensors --data scenes --budget latency=0.6 --costs costs.json --out pruned.safetensors",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint to prune")
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="DIR[:N]", help="data sets to measure importance on"
    )
    add_pruning_arguments(parser)
    parser.add_argument("--rounds", type=int, default=4, help="removals, importance measured anew before each")
    _add_on_bad_data(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of images")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_jointly(_prune))


def add_pruning_arguments(parser: argparse.ArgumentParser) -> None:
    """Budget and importance, as every command that prunes takes them."""
    parser.add_argument(
        "--budget", required=True, metavar="KIND=SHARE", help="what may be left: params=0.673, macs=0.5, latency=0.6"
    )
    parser.add_argument("--importance", choices=IMPORTANCES, default="safe", help="what ranks the channels")
    parser.add_argument(
        "--refine",
        type=int,
        default=4,
        metavar="N",
        help="safe: times to look again with planned channels halfway gone",
    )
    parser.add_argument("--conflict", type=float, default=0.0, help="safe: weight of the gradient-conflict penalty")
    parser.add_argument("--combine", choices=("max", "sum"), default="max", help="safe: how tasks join")
    parser.add_argument(
        "--conflict-source", choices=CONFLICT_SOURCES, default="weights", help="safe: what conflict is measured on"
    )
    parser.add_argument("--penalty", choices=PENALTIES, default="product", help="safe: how conflict enters the score")
    parser.add_argument(
        "--protect",
        nargs="+",
        default=[],
        metavar="SHARE|TASK=FACTOR",
        help="safe: share of channels each task puts out of reach, none where absent; lane=2: the task counts twice",
    )
    parser.add_argument("--calibration", type=int, default=64, metavar="N", help="images each measurement looks at")
    parser.add_argument("--round-to", type=int, default=8, help="widths stay multiples of this")
    parser.add_argument(
        "--region", help="part of the network that may shrink (default: the network's first, for latency all of it)"
    )
    parser.add_argument(
        "--costs",
        metavar="FILE",
        help="what panoedge cost measured, or a report of panoedge bench --profile, which tells less exactly how time "
        "follows widths; --budget latency needs one",
    )


def pruning_settings(arguments: argparse.Namespace, rounds: int):
    """:class:`compress.prune.PruneSettings` from :func:`add_pruning_arguments`' arguments."""
    from compress.plan import Budget
    from compress.prune import PruneSettings

    protect, weights = parse_protection(arguments.protect)
    return PruneSettings(
        Budget.parse(arguments.budget),
        importance=arguments.importance,
        rounds=rounds,
        calibration=arguments.calibration,
        round_to=arguments.round_to,
        conflict=arguments.conflict,
        combine=arguments.combine,
        protect=protect,
        source=arguments.conflict_source,
        penalty=arguments.penalty,
        weights=weights,
        refine=arguments.refine,
        region=arguments.region,
        costs=arguments.costs,
        device=arguments.device,
        seed=arguments.seed,
    )


def parse_protection(texts: Sequence[str]) -> tuple[float, dict[str, float]]:
    """``0.2 lane=2`` in any order to the share, 0 where none is given, and the factors by task.

    Raises:
        InputError: for anything else.
    """
    share, factors = 0.0, {}
    for text in texts:
        task, value = parse_factor(text, "protect", "a share such as 0.1, or ")
        if task:
            factors[task] = value
        else:
            share = value
    return share, factors


def parse_factor(text: str, what: str, alternative: str = "") -> tuple[str, float]:
    """``lane=2`` to the task and the factor; a number alone to no task, where there is an ``alternative`` to a task.

    Raises:
        InputError: for anything else.
    """
    task, equals, number = text.rpartition("=")
    try:
        if bool(task) == bool(equals) and (task or alternative):
            return task, float(number)
    except ValueError:
        pass
    raise InputError(f"{what} {text!r}: expected {alternative}TASK=FACTOR such as lane=2")


def register_coarsen(subparsers: argparse._SubParsersAction) -> None:
    """``coarsen``: mask heads that compute at fewer positions, and fewer queries."""
    parser = subparsers.add_parser(
        "coarsen",
        help="compute masks at fewer positions, ask fewer queries",
        description="Let the last layers of the mask heads compute at fewer positions and write blocks of pixels,\n"
        "which the network has to learn: distill it next. Or let fewer queries look for vehicles, which takes no\n"
        "training.",
        epilog="examples:\n"
        "  %(prog)s teacher.safetensors --mask-stride 4 --out coarse.safetensors\n"
        "  %(prog)s rmt-ppad.safetensors --queries 100 --out fewer.safetensors",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint")
    parser.add_argument("--mask-stride", type=int, help="pixels from one position to the next: 2, 4 ...")
    parser.add_argument("--queries", type=int, help="how many look for vehicles, in networks with a transformer")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_coarsen)


def register_distill(subparsers: argparse._SubParsersAction) -> None:
    """``distill``: teach a student to see like its teacher."""
    parser = subparsers.add_parser(
        "distill",
        help="teach a pruned network to see like its teacher again",
        description="Draw a student's features and answers towards its teacher's; labels join where there are some.",
        epilog="examples:\n"
        "  %(prog)s pruned.safetensors --teacher teacher.safetensors --data scenes --out student.safetensors\n"
        "  %(prog)s pruned.safetensors --teacher teacher.safetensors --data few --unlabelled drive --out s.safetensors",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint of the student")
    parser.add_argument("--teacher", type=Path, required=True, help="checkpoint of the teacher")
    add_training_arguments(parser, epochs=10, lr=5e-4, needs_data=False)
    _add_distillation_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_jointly(_distill))


def _add_distillation_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", type=float, default=0.5, help="weight of the feature distance")
    parser.add_argument(
        "--answers",
        type=float,
        default=1.0,
        help="weight of the distance to the teacher's answers beside labels; 0: heads learn from labels alone",
    )
    parser.add_argument(
        "--unlabelled",
        nargs="+",
        default=[],
        metavar="DIR[:N]",
        help="pictures without labels, of any folder; heads learn from the teacher's answers alone",
    )


def register_compress(subparsers: argparse._SubParsersAction) -> None:
    """``compress``: prune and distill in rounds."""
    parser = subparsers.add_parser(
        "compress",
        help="prune and distill in rounds, down to a budget",
        description="Reach a budget in rounds: prune a little, distill from the network that came in, and again.",
        epilog="example:\n  %(prog)s teacher.safetensors --data scenes --budget params=0.4 --rounds 3 "
        "--out student.safetensors",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint to make smaller; teaches every round")
    add_pruning_arguments(parser)
    add_training_arguments(parser, epochs=10, lr=5e-4)
    _add_distillation_arguments(parser)
    parser.add_argument("--rounds", type=int, default=2, help="of pruning and distillation; epochs are of each")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_jointly(_compress))


def _add_on_bad_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on-bad-data", choices=ON_BAD, default=ON_BAD[0], help="what to do about frames that cannot be used"
    )


def _jointly(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """``run`` by all processes that torchrun started, as one."""

    def run_jointly(arguments: argparse.Namespace) -> None:
        from compress.processes import joined

        with joined():
            run(arguments)

    return run_jointly


def _train(arguments: argparse.Namespace) -> None:
    from compress.train import train

    config = {name: getattr(arguments, name) for name in ("width", "depth", "resize")}
    config["size"] = parse_size(arguments.size) if arguments.size else None
    given = {name: value for name, value in config.items() if value is not None}
    weights = dict(parse_factor(text, "task weight") for text in arguments.task_weights)
    settings = replace(training_settings(arguments), task_weights=weights)
    train(arguments.network, given, settings, arguments.out, arguments.start, arguments.resume)


def _coarsen(arguments: argparse.Namespace) -> None:
    from compress.coarsen import coarsen_checkpoint

    coarsen_checkpoint(arguments.model, arguments.out, arguments.mask_stride, arguments.queries)


def _prune(arguments: argparse.Namespace) -> None:
    from compress.data import Source
    from compress.prune import prune_checkpoint

    sources = [Source.parse(text) for text in arguments.data]
    settings = pruning_settings(arguments, arguments.rounds)
    record = prune_checkpoint(arguments.model, sources, settings, arguments.out, arguments.on_bad_data)
    for kind, share in record["kept"].items():
        before, after = (
            f"{record[when][kind]:.2f} ms" if kind == "latency" else f"{record[when][kind]:,.0f}"
            for when in ("before", "after")
        )
        print(f"{kind}: {before} -> {after} ({100 * share:.1f} %)")
    for number, shares in enumerate(record["given_up"], 1):
        if shares:
            parts = ", ".join(f"{task} {100 * share:.2f} %" for task, share in shares.items())
            print(f"importance given up in round {number}: {parts}")


def _distill(arguments: argparse.Namespace) -> None:
    from compress.distill import DistillSettings, distill

    settings = DistillSettings(arguments.features, arguments.answers)
    training = training_settings(arguments, arguments.unlabelled)
    distill(arguments.model, arguments.teacher, training, settings, arguments.out, arguments.resume)


def _compress(arguments: argparse.Namespace) -> None:
    from compress.distill import DistillSettings
    from compress.rounds import compress

    settings = DistillSettings(arguments.features, arguments.answers)
    pruning, training = pruning_settings(arguments, rounds=2), training_settings(arguments, arguments.unlabelled)
    compress(arguments.model, pruning, training, settings, arguments.rounds, arguments.out, arguments.resume)
