"""A drawn data set of a few tiny frames, and networks small enough for a processor."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from compress.data import Frames, Source, loader
from compress.loop import Schedule
from compress.train import TrainSettings
from perception import checkpoint
from perception.layer_times import Grid, LayerTimes
from perception.networks.base import Decoded, Network
from perception.networks.yolop import YOLOP
from perception.spec import InputSpec

SIZE = (64, 96)


def _draw(root: Path, split: str, number: int) -> None:
    """A grey road with one white line and one dark vehicle."""
    rng = np.random.default_rng((number, split == "val"))
    name = f"{split}-{number}"
    image = np.full((*SIZE, 3), (120, 160, 200), np.uint8)
    drivable, lane = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    left, x, y = (int(value) for value in rng.integers((4, 20, 14), (20, 60, 24)))
    cv2.fillPoly(drivable, [np.int32([(40, 24), (56, 24), (90 - left, 63), (left, 63)])], 255)
    image[drivable > 0] = 90
    cv2.line(lane, (48, 26), (40 + left, 63), 255, 2)
    image[lane > 0] = 255
    box = (x, y, x + 24, y + 20)
    cv2.rectangle(image, box[:2], (box[2] - 1, box[3] - 1), (20, 20, 60), -1)
    objects = [{"category": "car", "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}]
    parts = {"images": image[..., ::-1], "da_seg_annotations": drivable, "ll_seg_annotations": lane}
    for folder, picture in parts.items():
        suffix = "jpg" if folder == "images" else "png"
        (root / folder / split).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / folder / split / f"{name}.{suffix}"), picture)
    labels = root / "det_annotations" / split
    labels.mkdir(parents=True, exist_ok=True)
    (labels / f"{name}.json").write_text(json.dumps({"name": name, "frames": [{"objects": objects}]}))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small lose more by sharing out their work than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Six training and three validation frames of 64x96 pixels in the YOLOP layout."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    for split, count in (("train", 6), ("val", 3)):
        for number in range(count):
            _draw(root, split, number)
    return root


@pytest.fixture
def network() -> YOLOP:
    """An untrained YOLOP of about half a million weights whose batch norms differ from channel to channel."""
    return _network()


@pytest.fixture(scope="session")
def network_file(tmp_path_factory) -> Path:
    """The same network's checkpoint."""
    path = tmp_path_factory.mktemp("networks") / "network.safetensors"
    checkpoint.save(path, _network(), [])
    return path


def _network() -> YOLOP:
    torch.manual_seed(0)
    made = YOLOP(width=0.25, size=SIZE)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return made.eval()


@pytest.fixture
def batches(dataset):
    """Two batches of two labelled frames, not augmented."""
    return list(loader(Frames([Source(dataset)], "train", InputSpec(SIZE)), batch=2, seed=0))[:2]


@pytest.fixture
def settings(dataset):
    """Settings of a run of seconds, changed by keyword; ``schedule`` takes a dictionary."""

    def make(schedule: dict | None = None, **changes) -> TrainSettings:
        plan = Schedule(**{"epochs": 2, "batch": 2, "lr": 1e-3} | (schedule or {}))
        common = {"sources": [Source(dataset)], "validate_every": 0, "device": "cpu", "precision": "fp32"}
        return TrainSettings(schedule=plan, **common | changes)

    return make


@pytest.fixture
def with_its_boxes():
    """Labels of vehicles where an untrained network is surest to see one, and beside it."""

    def relabel(network, batches):
        changed = []
        for images, targets in batches:
            with torch.no_grad():
                decoded = network.eval().decode(network(network.normalise(images)))
            numbers = torch.arange(len(images))
            seen = decoded.boxes[numbers, decoded.scores.argmax(1)]
            boxes = torch.cat([torch.cat((numbers[:, None].float(), part), 1) for part in (seen, seen + 40)])
            changed.append((images, targets._replace(boxes=boxes)))
        return changed

    return relabel


class Linear(Network):
    """Loss k is ``signs[k]`` times the mean of output ``outputs[k]`` of two 1x1 convolutions.

    On a picture that is red alone it is the sum over hidden channels c of ``head[k, c] * body[c, 0]``.
    """

    name = "linear"
    taps = {}  # noqa: RUF012
    regions = {"all": ("body", "head")}  # noqa: RUF012
    protected = ("head",)

    def __init__(self, outputs: tuple[int, ...], signs: tuple[float, ...]):
        super().__init__()
        self.spec = InputSpec((32, 32), tasks=tuple(f"task{number}" for number in range(len(outputs))))
        self.outputs, self.signs = outputs, signs
        self.body = nn.Conv2d(3, 4, 1, bias=False)
        self.head = nn.Conv2d(4, 2, 1, bias=False)
        with torch.no_grad():
            self.body.weight[:, 0, 0, 0] = torch.tensor([1.0, 2.0, -1.0, 0.5])
            self.head.weight[..., 0, 0] = torch.tensor([[3.0, 1.0, 0.5, 1.0], [-1.0, 2.0, 0.5, -4.0]])

    def forward(self, images):
        return {"logits": self.head(self.body(images))}

    def decode(self, raw):
        return Decoded()

    def losses(self, raw, targets):
        means = raw["logits"].mean((0, 2, 3))
        pairs = enumerate(zip(self.outputs, self.signs, strict=True))
        return {f"task{number}": sign * means[output] for number, (output, sign) in pairs}


@pytest.fixture
def linear():
    """The class of a network whose importance can be worked out by hand."""
    return Linear


@pytest.fixture
def stairs():
    """Times that rise in stairs of 8 channels, for the widths that are to be measured."""

    def times(axes, fixed=0.01) -> LayerTimes:
        grids = {
            kind: Grid(
                sides.inputs,
                sides.outputs,
                tuple(
                    tuple(1e-5 * math.prod(kind.size) * -(-i // 8) * -(-o // 8) for o in sides.outputs)
                    for i in sides.inputs
                ),
            )
            for kind, sides in axes.items()
        }
        return LayerTimes("yolop", "fp32", {"name": "stairs"}, grids, fixed)

    return times
