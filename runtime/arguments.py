"""Command-line arguments that several commands of this room share."""

import argparse
import math
from pathlib import Path

from perception.metrics.protocols import PROTOCOLS
from runtime.backends import PROVIDERS, Backend, open_backend

MODEL = "exported network (.onnx, .engine)"


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """Where and with how many threads a network runs."""
    parser.add_argument(
        "--provider", choices=PROVIDERS, default="auto", help="where it computes; auto: CUDA if there is one"
    )
    parser.add_argument("--threads", type=natural, help="CPU threads of the network (default: as the library sees fit)")


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """Which part of the data set is measured, and by whose rules."""
    parser.add_argument("--split", default="val", help="part of the data set")
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), default="rmt-ppad", help="whose metrics")


def open_with(path: Path, arguments: argparse.Namespace) -> Backend:
    """Open an exported network as :func:`add_backend_arguments` was answered."""
    return open_backend(path, arguments.provider, arguments.threads or 0)


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def not_negative(text: str) -> float:
    """A number of 0 or more."""
    number = _number(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return number


def natural(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
