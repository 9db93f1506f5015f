"""What goes into an exported network and comes out of it, whichever library runs it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from perception.errors import InputError
from perception.spec import InputSpec
from perception.tasks import output_names

INPUT = "image"
# Name of the elements' type as NumPy calls it, and the size of each side, None where any will do.
Value = tuple[str, Sequence[int | None]]


def check_signature(path: Path, inputs: Mapping[str, Value], outputs: Mapping[str, Value], spec: InputSpec) -> int:
    """Compare inputs and outputs of ``path`` with what this project writes for ``spec``.

    Returns:
        How many pictures an inference takes, 1 where any number will do.

    Raises:
        InputError: they differ.
    """
    names = output_names(spec.tasks)
    if set(inputs) != {INPUT} or set(outputs) != set(names):
        found = ", ".join((*inputs, *outputs))
        raise InputError(f"{path}: has {found}; expected {INPUT} to {', '.join(names)}; export it again")
    first = inputs[INPUT][1][:1]
    batch = first[0] if first else None
    expected = _expected(batch, *spec.size)
    for name, (kind, shape) in {**inputs, **outputs}.items():
        wanted_kind, wanted = expected[name]
        if kind != wanted_kind or not _matches(shape, wanted):
            raise InputError(
                f"{path}: {name} is {_text(kind, shape)}, expected {_text(wanted_kind, wanted)}; export it again"
            )
    return batch or 1


def _expected(batch: int | None, height: int, width: int) -> dict[str, Value]:
    return {
        INPUT: ("uint8", [batch, height, width, 3]),
        "boxes": ("float32", [batch, None, 4]),
        "scores": ("float32", [batch, None]),
        "drivable": ("uint8", [batch, height, width]),
        "drivable_mean": ("float32", [batch]),
        "lane": ("uint8", [batch, height, width]),
        "lane_mean": ("float32", [batch]),
    }


def _matches(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    if len(shape) != len(expected):
        return False
    return all(None in (side, want) or side == want for side, want in zip(shape, expected, strict=True))


def _text(kind: str, shape: Sequence[int | None]) -> str:
    return f"{kind} [{', '.join('*' if side is None else str(side) for side in shape)}]"
