"""A folder of small ONNX files, one for each layer to be measured, and some whole networks to fit them to.

``bundle.json`` says what they are. The folder is written where the network is and measured where it will run
(:mod:`runtime.cost`), which needs neither torch nor onnx.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perception.errors import MALFORMED, InputError, brief
from perception.fields import file_name, text
from perception.files import read_json, write_json
from perception.layer_times import Kind, Layer

FORMAT = 2
INDEX = "bundle.json"
# Far beyond any network; a short file could name so many that they fill the memory.
_MOST_LAYERS = 100_000


@dataclass(frozen=True)
class Axes:
    """The widths of one kind of layer that are measured, each input width with each output width."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Bundle:
    """What a folder holds.

    Attributes:
        network: architecture.
        precision: of all its files.
        axes: widths by kind of layer.
        wholes: the layers of each whole network by the name of its file; the first is the network as it came in.
    """

    network: str
    precision: str
    axes: dict[Kind, Axes]
    wholes: dict[str, tuple[Layer, ...]]

    def layers(self) -> Iterator[tuple[str, Layer]]:
        """Each layer to be measured, after the name of its file."""
        for number, (kind, axes) in enumerate(self.axes.items()):
            for inputs in axes.inputs:
                for outputs in axes.outputs:
                    yield f"layer{number}-{inputs}-{outputs}.onnx", Layer(kind, inputs, outputs)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        kinds = list(self.axes)
        return {
            "format": FORMAT,
            "network": self.network,
            "precision": self.precision,
            "axes": [{"kind": asdict(kind), **asdict(axes)} for kind, axes in self.axes.items()],
            "wholes": {
                name: [[kinds.index(layer.kind), layer.inputs, layer.outputs] for layer in layers]
                for name, layers in self.wholes.items()
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Bundle":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {FORMAT}")
        axes = {
            Kind.from_json(entry["kind"]): Axes(tuple(map(int, entry["inputs"])), tuple(map(int, entry["outputs"])))
            for entry in data["axes"]
        }
        kinds = list(axes)
        wholes = {
            file_name(name): tuple(Layer(kinds[kind], int(inputs), int(outputs)) for kind, inputs, outputs in layers)
            for name, layers in data["wholes"].items()
        }
        if not axes or not wholes:
            raise ValueError("nothing to measure")
        if sum(len(each.inputs) * len(each.outputs) for each in axes.values()) > _MOST_LAYERS:
            raise ValueError(f"more than {_MOST_LAYERS} layers")
        return cls(text(data["network"]), text(data["precision"]), axes, wholes)


def write_index(folder: Path, bundle: Bundle) -> None:
    """Say what the files of ``folder`` are."""
    write_json(folder / INDEX, bundle.to_json())


def read_index(folder: Path) -> Bundle:
    """What the files of ``folder`` are; raises :class:`InputError` where it is no bundle."""
    path = folder / INDEX
    if not path.is_file():
        raise InputError(
            f"{folder}: no folder of layers ({INDEX} is absent); write one: panoedge cost FILE --bundle DIR"
        )
    try:
        return Bundle.from_json(read_json(path))
    except MALFORMED as error:
        raise InputError(
            f"{path}: malformed ({brief(error)}); write the folder again: panoedge cost FILE --bundle DIR"
        ) from None
