"""A tiny network as a checkpoint and as ONNX, and a data set of two frames."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

HEIGHT, WIDTH = 64, 96
HISTORY = [{"stage": "train", "schedule": {"epochs": 3}, "data": ["scenes:1"]}, {"stage": "prune", "budget": 0.7}]


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory) -> Path:
    """An untrained YOLOP of which one layer has lost channels, with a past of two stages."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from perception import checkpoint
    from perception.networks.yolop import YOLOP

    torch.manual_seed(0)
    network = YOLOP(width=0.25, size=(HEIGHT, WIDTH))
    widths = checkpoint.layer_widths(network)
    # The first convolution of a mask head and what reads from it.
    for path in ("model.25.conv", "model.25.bn", "model.27.cv1.conv", "model.27.cv2"):
        inputs, outputs, groups = widths[path]
        reads = path.startswith("model.27")
        widths[path] = [inputs - 8, outputs, groups] if reads else [inputs - 8 * path.endswith("bn"), outputs - 8, 1]
    checkpoint.set_layer_widths(network, widths)
    network.get_submodule("model.25.bn").reset_parameters()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point() and tensor.dim() > 1:
            torch.nn.init.normal_(tensor, std=0.05)
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    checkpoint.save(path, network, HISTORY)
    return path


@pytest.fixture(scope="session")
def onnx_file(checkpoint_file: Path) -> Path:
    """The same network, exported."""
    pytest.importorskip("onnxruntime")
    writer = pytest.importorskip("export.onnx_writer")
    path = checkpoint_file.with_suffix(".onnx")
    writer.export_onnx(checkpoint_file, path, agree=lambda network, file: None)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two labelled frames a split in the YOLOP layout."""
    root = tmp_path / "scenes"
    rng = np.random.default_rng(0)
    masks = {"da_seg_annotations": np.s_[32:, 20:80], "ll_seg_annotations": np.s_[32:, 46:50]}
    box = {"category": "car", "box2d": {"x1": 10, "y1": 10, "x2": 40, "y2": 40}}
    for split in ("train", "val"):
        for folder in ("images", "det_annotations", *masks):
            (root / folder / split).mkdir(parents=True)
        for name in "ab":
            picture = cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), (WIDTH, HEIGHT))
            cv2.imwrite(str(root / "images" / split / f"{name}.jpg"), picture)
            label = json.dumps({"name": name, "frames": [{"timestamp": 0, "objects": [box]}]})
            (root / "det_annotations" / split / f"{name}.json").write_text(label)
            for folder, where in masks.items():
                mask = np.zeros((HEIGHT, WIDTH), np.uint8)
                mask[where] = 255
                cv2.imwrite(str(root / folder / split / f"{name}.png"), mask)
    return root
