"""``verify``: whether a file sees, on this machine, what another file of the same network does. Needs no labels."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from perception.errors import InputError
from perception.parity import Parity, agreement
from perception.spec import PRECISIONS, Precision
from runtime.arguments import MODEL, add_backend_arguments, open_with
from runtime.backends import Backend, Model, Provider, open_backend
from runtime.backends.onnxruntime import ON_CPU

Opener = Callable[[Path, Provider, int], Model]


def register(subparsers: argparse._SubParsersAction, against: str = MODEL, opener: Opener = open_backend) -> None:
    """Add ``verify``; ``against`` says for ``--help`` what ``opener`` opens."""
    parser = subparsers.add_parser(
        "verify",
        help="check on this machine that an engine sees what the ONNX file does",
        description="Run two files of one network on the same pictures and compare what they answer. Needs no labels.\n"
        "Exit status 1 when they differ by more than the precision explains.",
        epilog="examples:\n"
        "  %(prog)s student.engine --against student.onnx --images photographs/\n"
        "  %(prog)s student.onnx --provider cuda --against student.onnx",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help=MODEL)
    parser.add_argument("--against", type=Path, required=True, metavar="FILE", help=f"{against}, on the CPU if it can")
    parser.add_argument(
        "--images", type=Path, help="picture, folder or video to compare on (default: generated scenes)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled data set: compare the metrics too")
    add_backend_arguments(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, opener))


def verify(model: Backend, reference: Model, images: Path | None = None, data: Path | None = None) -> Parity:
    """Compare what ``model`` answers with what ``reference`` does.

    Raises:
        InputError: they do not come from one checkpoint or do not take the same input, or pictures cannot be read.
    """
    check_same(model, reference)
    parity = agreement(reference.infer, model, allowed(model, reference), images, data)
    return replace(parity, file=str(model.path), reference=str(reference.path))


def check_same(model: Model, reference: Model) -> None:
    """Raise InputError where the two do not come from one checkpoint, or do not take the same input."""
    ours, theirs = (_of_one(each) for each in (model, reference))
    for what, value in ours.items():
        if value != theirs[what] and not (what == "batch" and reference.kind == "checkpoint"):
            raise InputError(
                f"{model.path}: {what} {value}, that of {reference.path} is {theirs[what]}; nothing to compare"
            )


def _of_one(model: Model) -> dict[str, object]:
    spec = model.info.spec
    height, width = spec.size
    return {
        "checkpoint": model.info.checkpoint_sha256,
        "input": f"{height}x{width} (HxW), {spec.resize}",
        "batch": model.batch,
    }


def allowed(model: Backend, reference: Model) -> Precision:
    """The precision that explains what the two differ by: the coarser of both, and on a GPU FP16 at the least.

    There FP32 is multiplied in TF32, whose fraction is as short as that of FP16, unless that is turned off.
    """
    of_both = [model.info.precision, reference.info.precision]
    if model.describe().get("provider") != ON_CPU or reference.kind == "engine":
        of_both.append("fp16")
    return max(of_both, key=PRECISIONS.index)


def _run(arguments: argparse.Namespace, opener: Opener) -> None:
    with ExitStack() as stack:
        model = stack.enter_context(open_with(arguments.model, arguments))
        provider: Provider = "auto" if arguments.against.suffix == ".engine" else "cpu"
        reference = stack.enter_context(opener(arguments.against, provider, arguments.threads or 0))
        parity = verify(model, reference, arguments.images, arguments.data)
    print(parity.table())
    parity.require()
    print(f"\n{arguments.model} sees what {arguments.against} does")
