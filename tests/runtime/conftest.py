"""Small exported networks whose answers are known, and a backend that only waits."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.spec import ONNX_METADATA_KEY, Deployed, InputSpec
from perception.tasks import Outputs
from runtime.backends import Split

SIZE = (64, 96)
# Two boxes on top of each other and one on its own, in network-input pixels.
BOXES = ((10, 10, 40, 50), (11, 10, 40, 50), (60, 20, 90, 60))
SCORES = (0.9, 0.8, 0.6)


@pytest.fixture(scope="session")
def export_onnx():
    """Writes an ONNX file: ``drivable`` is the brightness of the picture, ``lane`` its opposite, boxes are constant."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kinds, from_array = onnx.helper, onnx.TensorProto, onnx.numpy_helper.from_array

    def write(path: Path, batch=1, info=None, metadata=None, image_kind=kinds.UINT8, size=SIZE, lane="lane") -> Path:
        height, width = size
        boxes = np.tile(np.float32(BOXES), (1 if isinstance(batch, str) else batch, 1, 1))
        scores = np.tile(np.float32(SCORES), (boxes.shape[0], 1))
        constants = {"boxes_": boxes, "scores_": scores, "white": np.float32(255), "colours": np.int64([3])}
        constants["pixels"] = np.int64([1, 2])
        bright, dark = "shared/bright", "lane/dark"
        nodes = [
            helper.make_node("Cast", ["image"], ["shared/colour"], to=kinds.FLOAT),
            helper.make_node("ReduceMean", ["shared/colour", "colours"], [bright], keepdims=0),
            helper.make_node("Sub", ["white", bright], [dark]),
            helper.make_node("Identity", ["boxes_"], ["boxes"]),
            helper.make_node("Identity", ["scores_"], ["scores"]),
            helper.make_node("Cast", [bright], ["drivable"], to=kinds.UINT8),
            helper.make_node("Cast", [dark], [lane], to=kinds.UINT8),
            helper.make_node("ReduceMean", [bright, "pixels"], ["drivable_mean"], keepdims=0),
            helper.make_node("ReduceMean", [dark, "pixels"], ["lane_mean"], keepdims=0),
        ]
        rooms = ("shared", "shared", "lane", "detection", "detection", "drivable", "lane", "drivable", "lane")
        for node, room in zip(nodes, rooms, strict=True):
            node.name = f"{room}/node_{node.op_type}_{node.output[0]}"
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            nodes,
            "known_answers",
            [value("image", image_kind, [batch, height, width, 3])],
            [
                value("boxes", kinds.FLOAT, boxes.shape),
                value("scores", kinds.FLOAT, scores.shape),
                value("drivable", kinds.UINT8, [batch, height, width]),
                value("drivable_mean", kinds.FLOAT, [batch]),
                value(lane, kinds.UINT8, [batch, height, width]),
                value("lane_mean", kinds.FLOAT, [batch]),
            ],
            [from_array(np.asarray(array), name) for name, array in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        if metadata is None:
            metadata = {ONNX_METADATA_KEY: json.dumps((info or deployed()).to_json())}
        helper.set_model_props(model, metadata)
        onnx.save(model, path)
        return path

    return write


@pytest.fixture(scope="session")
def network(export_onnx, tmp_path_factory) -> Path:
    """An exported network of batch 1."""
    return export_onnx(tmp_path_factory.mktemp("network") / "known.onnx")


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Three labelled frames on which ``network`` is never wrong, in the YOLOP layout."""
    root = tmp_path / "scenes"
    height, width = SIZE
    for index in range(3):
        bright = np.zeros(SIZE, np.uint8)
        bright[height // 2 :, : width // 2 + 8 * index] = 255
        for folder, picture in (
            ("images", cv2.merge([bright] * 3)),
            ("da_seg_annotations", bright),
            ("ll_seg_annotations", 255 - bright),
        ):
            file = root / folder / "val" / f"frame{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(file), picture)
        vehicles = [
            {"category": "car", "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
            for box in (BOXES[0], BOXES[2])
        ]
        labels = root / "det_annotations" / "val" / f"frame{index}.json"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(json.dumps({"name": f"frame{index}", "frames": [{"timestamp": 0, "objects": vehicles}]}))
    return root


@pytest.fixture(scope="session")
def larger_network(export_onnx, tmp_path_factory) -> Path:
    """Another of twice the size."""
    size = (2 * SIZE[0], 2 * SIZE[1])
    return export_onnx(tmp_path_factory.mktemp("network") / "larger.onnx", info=deployed(size), size=size)


@pytest.fixture
def clock():
    """A clock that stands still until told to advance."""
    return _Clock()


@pytest.fixture
def waiting_backend(clock):
    """A backend that lets ``clock`` advance 1 + 7 + 2 ms an inference, and answers with ``BOXES`` and empty masks."""
    return _WaitingBackend(clock)


def deployed(size=SIZE, **changes) -> Deployed:
    facts = {"network": "known", "precision": "fp32", "parameters": 1500, "macs": 2_000_000} | changes
    return Deployed(spec=InputSpec(size), checkpoint_sha256="ab" * 32, **facts)


class _Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, milliseconds: float) -> None:
        self.now += milliseconds / 1000


class _WaitingBackend:
    kind = "onnx"
    path = Path("waiting.onnx")
    batch = 1

    def __init__(self, clock):
        self.info = deployed()
        self.clock = clock
        self.compute = 7.0

    def infer(self, images):
        return self.timed(images)[0]

    def submit(self, images):
        outputs = self.infer(images)
        return lambda: outputs

    def timed(self, images):
        self.clock.advance(1 + self.compute + 2)
        masks = np.zeros((1, *SIZE), np.uint8)
        return Outputs(np.float32([BOXES]), np.float32([SCORES]), masks, masks), Split(1, self.compute, 2)

    def bound(self, images):
        return lambda: self.clock.advance(self.compute)

    def describe(self):
        return {"library": "waiting"}

    def close(self):
        pass
