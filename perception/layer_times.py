"""What layers of a network take in milliseconds on one machine, by width: the file that ``cost`` writes, that a latency
budget reads, and that may travel from a board to the machine that prunes.

A layer by itself takes other than the same layer inside a network, where it is fused with its neighbours and finds its
input in a cache. So a network's time is ``fixed`` + ``scale`` x the sum over its layers, both fitted to whole networks
that were measured beside the layers.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args

from perception.errors import MALFORMED, InputError, brief
from perception.fields import duration, text
from perception.files import write_json

Operator = Literal["conv", "depthwise", "transposed", "upsampled", "linear"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
FORMAT = 2
# Milliseconds of one layer from how many channels it reads and writes.
Price = Callable[[float, float], float]


@dataclass(frozen=True)
class Kind:
    """All of a layer but its widths; layers of one kind and the same widths take the same time.

    Attributes:
        operator: ``depthwise`` has as many outputs as inputs; ``upsampled`` is nearest upsampling by two and the
            convolution that reads it; ``linear`` applies its weights to ``size[0]`` rows.
        size: of the input, ``(height, width)``, before upsampling.
        kernel, stride, padding, dilation: vertical and horizontal, as in torch.
    """

    operator: Operator
    size: tuple[int, int]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __str__(self) -> str:
        height, width = self.kernel
        stride = f"/{self.stride[0]}" if self.stride[0] > 1 else ""
        return f"{self.operator} {height}x{width}{stride} at {self.size[0]}x{self.size[1]}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Kind":
        """Rebuild from ``asdict``; raises KeyError, TypeError or ValueError on malformed data."""
        if data["operator"] not in OPERATORS:
            raise ValueError(f"unknown operator {data['operator']!r}")
        pairs = {name: (int(value[0]), int(value[1])) for name, value in data.items() if name != "operator"}
        return cls(data["operator"], **pairs)


class Layer(NamedTuple):
    """One layer as it runs once in a network: its kind, and how many channels it reads and writes.

    A depthwise one has 1 input, since that is what each output is made of.
    """

    kind: Kind
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Grid:
    """Milliseconds of one kind of layer.

    Attributes:
        inputs, outputs: widths that were measured, ascending.
        ms: by place in ``inputs``, then in ``outputs``.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    ms: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Raises ValueError where the numbers make no grid."""
        for widths in (self.inputs, self.outputs):
            if not widths or list(widths) != sorted(set(widths)):
                raise ValueError(f"widths {widths}")
        if [len(row) for row in self.ms] != [len(self.outputs)] * len(self.inputs):
            raise ValueError("as many times as widths are needed")

    def at(self, inputs: float, outputs: float) -> float:
        """Linear between the widths that were measured, and the nearest of them outside."""
        low, high, along = _between(self.inputs, inputs)
        left, right, across = _between(self.outputs, outputs)
        first = self.ms[low][left] * (1 - across) + self.ms[low][right] * across
        second = self.ms[high][left] * (1 - across) + self.ms[high][right] * across
        return first * (1 - along) + second * along


def nothing(inputs: float, outputs: float) -> float:
    """The :data:`Price` of what is part of ``fixed``."""
    return 0.0


class Times(Protocol):
    """What a budget in time must know.

    Attributes:
        fixed: milliseconds that do not depend on widths.
    """

    @property
    def fixed(self) -> float: ...

    def of(self, path: str, runs: Iterable[Layer]) -> Price:
        """What the layer of a module takes, which runs so often on one image; 0 where it is part of ``fixed``."""
        ...


@dataclass(frozen=True)
class LayerTimes:
    """What was measured on one machine for one network.

    Attributes:
        network: its architecture.
        precision: of the layers that were measured.
        device: what measured them, as in reports.
        grids: by kind of layer.
        fixed: milliseconds that do not depend on widths.
        scale: what a millisecond of a layer by itself is inside a network.
        checks: whole networks that were measured: ``name``, ``ms`` and ``predicted`` of each.
    """

    network: str
    precision: str
    device: dict[str, Any]
    grids: dict[Kind, Grid]
    fixed: float = 0.0
    scale: float = 1.0
    checks: tuple[dict[str, Any], ...] = ()

    def layer(self, kind: Kind, inputs: float, outputs: float) -> float:
        """Milliseconds of one layer inside a network; raises KeyError for a kind that was not measured."""
        return self.scale * self.grids[kind].at(inputs, outputs)

    def of(self, path: str, runs: Iterable[Layer]) -> Price:
        """See :class:`Times`; a kind that was not measured is part of what is fixed."""
        known = [run.kind for run in runs if run.kind in self.grids]
        return lambda inputs, outputs: sum(self.layer(kind, inputs, outputs) for kind in known)

    def total(self, layers: Iterable[Layer]) -> float:
        """Milliseconds of a network of these layers."""
        return self.fixed + sum(self.layer(*layer) for layer in layers)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        grids = [{"kind": asdict(kind), **asdict(grid)} for kind, grid in self.grids.items()]
        return {"format": FORMAT, **{name: getattr(self, name) for name in _PLAIN}, "grids": grids}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LayerTimes":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")
        grids = {
            Kind.from_json(entry["kind"]): Grid(
                tuple(map(int, entry["inputs"])),
                tuple(map(int, entry["outputs"])),
                tuple(tuple(map(duration, row)) for row in entry["ms"]),
            )
            for entry in data["grids"]
        }
        return cls(
            text(data["network"]),
            text(data["precision"]),
            data["device"],
            grids,
            duration(data["fixed"]),
            duration(data["scale"]),
            tuple(data["checks"]),
        )


_PLAIN = ("network", "precision", "device", "fixed", "scale", "checks")


def write_times(path: Path, times: LayerTimes) -> None:
    """Write what was measured."""
    write_json(path, times.to_json())


def parse_times(path: Path, data: Any) -> LayerTimes:
    """What :func:`write_times` wrote, from the JSON of ``path``; raises :class:`InputError` where it is not that."""
    try:
        return LayerTimes.from_json(data)
    except MALFORMED as error:
        raise InputError(f"{path}: no layer times ({brief(error)}); measure them with: panoedge cost") from None


def _between(widths: Sequence[int], width: float) -> tuple[int, int, float]:
    """Places of the neighbours of ``width``, and how far it is from the first to the second."""
    high = min(bisect_right(widths, width), len(widths) - 1)
    low = max(high - 1, 0)
    gap = widths[high] - widths[low]
    return low, high, min(max((width - widths[low]) / gap, 0.0), 1.0) if gap else 0.0
