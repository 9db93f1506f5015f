"""What a user of a network must know beside its weights; travels in checkpoint headers and ONNX metadata."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from perception.fields import count, text
from perception.geometry import LARGEST_SIDE, Resize
from perception.tasks import DRIVABLE, LANE, TASKS

# Of the weights and activations of an exported file; ``int8`` is of its convolutions.
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True)
class InputSpec:
    """How pictures go in and how outputs are read.

    Attributes:
        size: network input ``(height, width)`` in pixels, multiples of 32.
        resize: how a picture is placed in it.
        thresholds: probability above which a mask pixel is foreground, by mask task.
        needs_nms: whether boxes still need non-maximum suppression.
        tasks: what the network answers, in the order of :data:`perception.tasks.TASKS`.
    """

    size: tuple[int, int]
    resize: Resize = "letterbox"
    thresholds: dict[str, float] = field(default_factory=lambda: {DRIVABLE: 0.5, LANE: 0.5})
    needs_nms: bool = True
    tasks: tuple[str, ...] = TASKS

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "InputSpec":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        height, width = map(int, data["size"])
        if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
            raise ValueError(f"input size {height}x{width}")
        thresholds = {task: float(data["thresholds"][task]) for task in (DRIVABLE, LANE)}
        if not all(0 <= threshold <= 1 for threshold in thresholds.values()):
            raise ValueError(f"thresholds {thresholds}")
        if data["resize"] not in ("letterbox", "stretch"):
            raise ValueError(f"unknown resize {data['resize']!r}")
        tasks = tuple(data.get("tasks", TASKS))
        if not tasks or tasks != tuple(task for task in TASKS if task in tasks):
            raise ValueError(f"tasks {tasks!r}")
        return cls((height, width), data["resize"], thresholds, bool(data["needs_nms"]), tasks)


# The one key of an ONNX file's ``metadata_props`` that this project writes; its value is the JSON of ``Deployed``.
ONNX_METADATA_KEY = "panoedge"
DEPLOYED_FORMAT = 2


@dataclass(frozen=True)
class Deployed:
    """What an exported file says of itself.

    Attributes:
        network: name of the architecture.
        spec: how pictures go in and outputs are read.
        precision: ``fp32``, ``fp16`` or ``int8``.
        parameters: number of weights of the network exported.
        macs: multiply-accumulates for one image.
        checkpoint_sha256: of the checkpoint it was exported from.
    """

    network: str
    spec: InputSpec
    precision: Precision
    parameters: int
    macs: int
    checkpoint_sha256: str

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        return {"format": DEPLOYED_FORMAT, "tasks": list(self.spec.tasks), **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Deployed":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        if data["format"] != DEPLOYED_FORMAT:
            raise ValueError(f"format {data['format']!r}, this version reads {DEPLOYED_FORMAT}")
        spec = InputSpec.from_json(data["spec"])
        if data["precision"] not in PRECISIONS:
            raise ValueError(f"unknown precision {data['precision']!r}")
        return cls(
            text(data["network"]),
            spec,
            data["precision"],
            count(data["parameters"]),
            count(data["macs"]),
            text(data["checkpoint_sha256"]),
        )
