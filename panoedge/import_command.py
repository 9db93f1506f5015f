"""``panoedge import``: the authors' own checkpoints as this project's, without trusting what is in them."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perception.command import say
from perception.errors import InputError
from perception.files import check_writable, sha256
from perception.geometry import parse_size

# Entries of a training checkpoint that the history of the new one quotes.
_QUOTED = ("epoch", "best_fitness")
_LARGEST = 1e15
_MOST_IGNORED = 20


def register(subparsers: argparse._SubParsersAction) -> None:
    """``import``: a published checkpoint."""
    parser = subparsers.add_parser(
        "import",
        help="take over a published checkpoint, without running anything in it",
        description="Read the weights in a torch file (.pt, .pth) and write a checkpoint. Nothing in the file is run.",
        epilog="examples:\n"
        "  %(prog)s yolop End-to-end.pth --out teacher.safetensors\n"
        "  %(prog)s rmt-ppad best.pt --out teacher.safetensors",
    )
    parser.add_argument("network", metavar="NETWORK", help="architecture: yolop or rmt-ppad, at its published size")
    parser.add_argument("source", type=Path, metavar="FILE", help="the authors' file")
    parser.add_argument("--size", help="network input, HEIGHTxWIDTH, multiples of 32; the network's own where absent")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    config = {"size": parse_size(arguments.size)} if arguments.size else {}
    past = import_checkpoint(arguments.network, arguments.source, arguments.out, config)
    ignored = f"; left behind: {', '.join(past['ignored'])}" if past.get("ignored") else ""
    say(f"{arguments.out}: {past['tensors']} tensors of {past['file']}{ignored}")


def import_checkpoint(network: str, source: Path, out: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Write the weights in a torch file as a checkpoint of a registered network, in single precision.

    The file may hold a pickled module as ``ema`` or ``model``, or a state dictionary as ``state_dict`` or by itself.

    Args:
        network: registered name.
        source: the torch file.
        out: checkpoint to write.
        config: keyword arguments of the network's class.

    Returns:
        What is written down as the first stage of the checkpoint's history.

    Raises:
        InputError: the file cannot be read safely, or its weights are not those of the network.
    """
    from perception import checkpoint
    from perception.foreign import TorchFile, find_weights
    from perception.networks import network_class

    built = network_class(network)(**config)
    check_writable(out)
    file = TorchFile.open(source)
    try:
        weights = find_weights(file.content)
        weights.check({name: tuple(tensor.shape) for name, tensor in built.state_dict().items()})
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    built.load_state_dict(file.tensors(weights.views))
    past = {
        "stage": "import",
        "file": Path(source).name,
        "sha256": sha256(source),
        "tensors": len(weights.views),
        **(_training_facts(file.content, weights.entry) if weights.entry else {}),
    }
    checkpoint.save(out, built.eval(), [past])
    return past


def _training_facts(content: dict[Any, Any], entry: str) -> dict[str, Any]:
    """Where the weights were, what the file says of their training, and the names of what was left behind."""
    from perception.foreign import shown

    numbers = {name: content[name] for name in _QUOTED if _is_number(content.get(name))}
    left = [name for name in content if isinstance(name, str) and name != entry and name not in numbers]
    return {"entry": entry, **numbers, "ignored": [shown(name) for name in left[:_MOST_IGNORED]]}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST
