"""Command-line arguments of this room's stages, shared by ``panoedge`` and ``python -m compress``."""

import argparse
from pathlib import Path

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
    parser.add_argument("--width", type=float, default=1.0, help="multiplies every channel count")
    parser.add_argument("--size", default="384x640", help="network input, HEIGHTxWIDTH, multiples of 32")
    parser.add_argument(
        "--resize", choices=("letterbox", "stretch"), default="letterbox", help="how pictures are placed"
    )
    parser.add_argument("--start", type=Path, help="checkpoint to start from; network, width and size are then its own")
    add_training_arguments(parser, epochs=50, lr=2e-3)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_train)


def add_training_arguments(parser: argparse.ArgumentParser, epochs: int, lr: float) -> None:
    """Data, schedule and machine, as every command that trains takes them."""
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR[:N]", help="data sets; N: times an epoch")
    parser.add_argument("--epochs", type=int, default=epochs, help="passes over the data")
    parser.add_argument("--batch", type=int, default=16, help="images a step")
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
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run of the same command")


def training_settings(arguments: argparse.Namespace):
    """:class:`compress.train.TrainSettings` from :func:`add_training_arguments`' arguments."""
    from compress.data import Source
    from compress.loop import Schedule
    from compress.train import TrainSettings

    return TrainSettings(
        sources=[Source.parse(text) for text in arguments.data],
        schedule=Schedule(arguments.epochs, arguments.batch, arguments.lr, seed=arguments.seed),
        validate_every=arguments.validate_every,
        validate_frames=arguments.validate_frames,
        device=arguments.device,
        precision=arguments.precision,
        workers=arguments.workers,
        cache=arguments.cache,
    )


def _train(arguments: argparse.Namespace) -> None:
    from compress.train import train

    config = {"width": arguments.width, "size": parse_size(arguments.size), "resize": arguments.resize}
    settings = training_settings(arguments)
    train(arguments.network, config, settings, arguments.out, arguments.start, arguments.resume)
