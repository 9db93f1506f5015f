"""The commands of this room's stages, shared by ``panoedge`` and ``python -m compress``."""

import argparse
from dataclasses import replace
from pathlib import Path

from compress.arguments import (
    add_distillation_arguments,
    add_on_bad_data,
    add_pruning_arguments,
    add_training_arguments,
    jointly,
    parse_factor,
    pruning_settings,
    training_settings,
)
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
    parser.set_defaults(run=jointly(_train))


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
    add_on_bad_data(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of images")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=jointly(_prune))


def register_coarsen(subparsers: argparse._SubParsersAction) -> None:
    """``coarsen``: mask heads that compute at fewer positions, and fewer queries."""
    parser = subparsers.add_parser(
        "coarsen",
        help="compute masks at fewer positions, ask fewer queries",
        description="Let the last layers of the mask heads compute at fewer positions and write blocks of pixels.\n"
        "Lines lose detail that the network can learn again: distill it next. Or let fewer queries look for vehicles,\n"
        "which takes no training.",
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
    add_distillation_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=jointly(_distill))


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
    add_distillation_arguments(parser)
    parser.add_argument("--rounds", type=int, default=2, help="of pruning and distillation; epochs are of each")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=jointly(_compress))


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
