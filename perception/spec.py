"""What a user of a network must know beside its weights; travels in checkpoint headers and ONNX metadata."""

from dataclasses import asdict, dataclass, field
from typing import Any

from perception.geometry import Resize
from perception.tasks import DRIVABLE, LANE


@dataclass(frozen=True)
class InputSpec:
    """How pictures go in and how outputs are read.

    Attributes:
        size: network input ``(height, width)`` in pixels, multiples of 32.
        resize: how a picture is placed in it.
        thresholds: probability above which a mask pixel is foreground, by mask task.
        needs_nms: whether boxes still need non-maximum suppression.
    """

    size: tuple[int, int]
    resize: Resize = "letterbox"
    thresholds: dict[str, float] = field(default_factory=lambda: {DRIVABLE: 0.5, LANE: 0.5})
    needs_nms: bool = True

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that :meth:`from_json` takes back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "InputSpec":
        """Rebuild from :meth:`to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        height, width = data["size"]
        thresholds = {task: float(data["thresholds"][task]) for task in (DRIVABLE, LANE)}
        if data["resize"] not in ("letterbox", "stretch"):
            raise ValueError(f"unknown resize {data['resize']!r}")
        return cls((int(height), int(width)), data["resize"], thresholds, bool(data["needs_nms"]))
