"""``verify``: whether a file answers, on this machine, what another file of the same network does. Needs no labels."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from perception.data import Dataset, open_dataset
from perception.errors import InputError
from perception.files import check_writable
from perception.geometry import fit
from perception.parity import MOST_PICTURES, Parity, agreement
from perception.pictures import look_at
from perception.spec import PRECISIONS, InputSpec, Precision
from runtime.answers import SUFFIX, Answers, save_answers
from runtime.arguments import MODEL, add_backend_arguments, open_with
from runtime.backends import Backend, Model, Provider, open_backend
from runtime.backends.onnxruntime import ON_CPU

Opener = Callable[[Path, Provider, int], Model]


def register(subparsers: argparse._SubParsersAction, against: str = MODEL, opener: Opener = open_backend) -> None:
    """Add ``verify``; ``against`` says for ``--help`` what ``opener`` opens."""
    parser = subparsers.add_parser(
        "verify",
        help="check on this machine that an engine answers what the ONNX file does",
        description="Run two files of one network on the same pictures and compare what they answer. Needs no labels.\n"
        "Exit status 1 when they differ by more than the precision explains. Where only one of them can run, compare\n"
        "with what the other answered elsewhere (--record).",
        epilog="examples:\n"
        "  %(prog)s student.engine --against student.onnx --images photographs/\n"
        "  %(prog)s student.onnx --against student.safetensors --record answers.npz\n"
        "  %(prog)s student.engine --against answers.npz",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help=MODEL)
    parser.add_argument(
        "--against",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"{against}, which runs on the CPU if it can, or recorded answers ({SUFFIX})",
    )
    parser.add_argument(
        "--images", type=Path, help="picture, folder or video to compare on (default: generated scenes)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="labelled data set: compare the metrics too")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help=f"write the pictures and what MODEL answers to them ({SUFFIX})"
    )
    add_backend_arguments(parser)
    parser.set_defaults(run=lambda arguments: _run(arguments, opener))


def verify(model: Backend, reference: Model, pictures: Sequence[np.ndarray], labelled: Dataset | None = None) -> Parity:
    """Compare what ``model`` answers with what ``reference`` does, on pictures and on labelled frames.

    Raises:
        InputError: they do not come from one checkpoint or do not take the same input.
    """
    check_same(model, reference)
    parity = agreement(reference.infer, model, allowed(model, reference), pictures, labelled)
    return replace(parity, file=str(model.path), reference=str(reference.path))


def check_same(model: Model, reference: Model) -> None:
    """Raise InputError where the two do not come from one checkpoint, or do not take the same input."""
    ours, theirs = (_of_one(each) for each in (model, reference))
    if reference.kind in ("checkpoint", Answers.kind):  # take any number
        theirs["batch"] = model.batch
    for what, value in ours.items():
        if value != theirs[what]:
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
    recorded = arguments.against.suffix == SUFFIX
    if recorded and (arguments.images or arguments.data):
        raise InputError(f"{arguments.against}: brings its own pictures; leave out --images and --data")
    if arguments.record:
        if arguments.record.suffix != SUFFIX:
            raise InputError(f"{arguments.record}: the name of recorded answers ends in {SUFFIX}")
        check_writable(arguments.record)
    labelled = open_dataset(arguments.data) if arguments.data else None
    with ExitStack() as stack:
        model = stack.enter_context(open_with(arguments.model, arguments))
        reference = stack.enter_context(Answers(arguments.against) if recorded else _open(arguments, opener))
        spec = model.info.spec
        pictures = reference.pictures if isinstance(reference, Answers) else _placed(arguments.images, spec)
        parity = verify(model, reference, pictures, labelled)
        print(parity.table())
        parity.require()
        if arguments.record:
            save_answers(arguments.record, model, pictures)
        judged = labelled is not None or allowed(model, reference) != "int8"
    print(f"\n{arguments.model} answers what {arguments.against} does, on {len(pictures)} pictures")
    if not judged:
        print("masks were not judged: of INT8 only metrics tell what is lost; name labelled frames with --data")


def _open(arguments: argparse.Namespace, opener: Opener) -> Model:
    provider: Provider = "auto" if arguments.against.suffix == ".engine" else "cpu"
    return opener(arguments.against, provider, arguments.threads or 0)


def _placed(images: Path | None, spec: InputSpec) -> list[np.ndarray]:
    """The pictures at the size of the input, where they take least memory."""
    return [fit(image.shape[:2], spec.size, spec.resize).image(image) for image in look_at(images, MOST_PICTURES)]
