"""Groups of arguments that several of this room's commands take, and the settings that they ask for."""

import argparse
from collections.abc import Callable, Sequence

from compress.names import CONFLICT_SOURCES, IMPORTANCES, PENALTIES
from perception.data import ON_BAD
from perception.errors import InputError


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
    add_on_bad_data(parser)
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


def add_pruning_arguments(parser: argparse.ArgumentParser) -> None:
    """Budget and importance, as every command that prunes takes them."""
    parser.add_argument(
        "--budget",
        required=True,
        metavar="KIND=SHARE",
        help="what may be left: params=0.673, macs=0.5, latency=0.6, or in milliseconds: latency=12.5ms",
    )
    parser.add_argument("--importance", choices=IMPORTANCES, default="safe", help="what ranks the channels")
    parser.add_argument(
        "--refine",
        type=int,
        metavar="N",
        help="safe: times to look again with planned channels halfway gone (default: 4, or 12 for budgets of latency)",
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
        help="safe: share of channels each task puts out of reach (default: 0.1, for latency 0); lane=2: the task "
        "counts twice",
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="LAYER",
        help="layers or parts that keep all channels they write, by the names of panoedge info --layers",
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
    from compress.prune import PruneSettings, budget_of

    protect, weights = parse_protection(arguments.protect)
    return PruneSettings(
        budget_of(arguments.budget, arguments.model, arguments.costs),
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
        keep=arguments.keep,
        region=arguments.region,
        costs=arguments.costs,
        device=arguments.device,
        seed=arguments.seed,
    )


def parse_protection(texts: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """``0.2 lane=2`` in any order to the share, None where none is given, and the factors by task.

    Raises:
        InputError: for anything else.
    """
    share: float | None = None
    factors = {}
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


def add_distillation_arguments(parser: argparse.ArgumentParser) -> None:
    """What a student learns from beside labels."""
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


def add_on_bad_data(parser: argparse.ArgumentParser) -> None:
    """What to do about frames that cannot be used."""
    parser.add_argument(
        "--on-bad-data", choices=ON_BAD, default=ON_BAD[0], help="what to do about frames that cannot be used"
    )


def jointly(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """``run`` by all processes that torchrun started, as one."""

    def run_jointly(arguments: argparse.Namespace) -> None:
        from compress.processes import joined

        with joined():
            run(arguments)

    return run_jointly
