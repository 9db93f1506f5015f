"""Frames without boxes, boxes of a pixel, empty masks, data sets without a task: training and metrics go on."""

import json
import math
import shutil

import cv2
import numpy as np
import pytest
import torch

from compress.data import Frames, Source, loader
from compress.device import choose
from compress.loop import Loop, Schedule
from compress.plan import Budget
from compress.prune import PruneSettings, prune_checkpoint
from compress.validate import validate
from perception import checkpoint
from perception.data import open_dataset
from perception.errors import InputError
from perception.networks.base import Targets
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP

SIZE = (64, 96)
NOTHING = torch.zeros(2, *SIZE, dtype=torch.uint8)
ONE_PIXEL = torch.tensor([[0.0, 10, 20, 11, 21], [1.0, 95, 63, 96, 64]])
KINDS = {
    "nothing at all": Targets(torch.zeros(0, 5), NOTHING, NOTHING),
    "boxes of one pixel": Targets(ONE_PIXEL, NOTHING, NOTHING),
    "boxes in one picture only": Targets(torch.tensor([[1.0, 8, 8, 60, 50]]), NOTHING, 1 - NOTHING),
    "masks that cover everything": Targets(torch.zeros(0, 5), 1 - NOTHING, 1 - NOTHING),
}


@pytest.fixture(scope="module", params=["yolop", "rmt-ppad"])
def network(request):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return YOLOP(width=0.25, size=SIZE) if request.param == "yolop" else RMTPPAD(width=0.25, depth=0.34, size=SIZE)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_of_unusual_labels_are_finite(network, kind):
    network.train()
    images = torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8)
    network.zero_grad()
    losses = network.losses(network(network.normalise(images)), KINDS[kind])
    torch.stack(list(losses.values())).sum().backward()
    assert all(loss.isfinite() for loss in losses.values())
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert gradients and all(gradient.isfinite().all() for gradient in gradients)


@pytest.fixture
def barren(scenes, tmp_path):
    """A copy of the scenes in which nothing is labelled but a box of one pixel in one validation frame."""
    root = shutil.copytree(scenes, tmp_path / "barren")
    for mask in [*root.glob("da_seg_annotations/*/*.png"), *root.glob("ll_seg_annotations/*/*.png")]:
        cv2.imwrite(str(mask), np.zeros(SIZE, np.uint8))
    for label in sorted(root.glob("det_annotations/*/*.json")):
        label.write_text(json.dumps({"frames": [{"objects": []}]}))
    pixel = {"category": "car", "box2d": {"x1": 5, "y1": 5, "x2": 6, "y2": 6}}
    label.write_text(json.dumps({"frames": [{"objects": [pixel]}]}))
    return root


def test_training_and_metrics_where_nothing_is_labelled(network, barren):
    batches = loader(Frames([Source(barren)], "train", network.spec), 4, seed=0)

    def loss(images, targets):
        return network.losses(network(network.normalise(images)), targets)

    loop = Loop(network, loss, batches, Schedule(epochs=1, lr=1e-4), choose("cpu", "fp32"))
    trained = loop.run()
    assert loop.faults.total == 0
    for protocol in ("rmt-ppad", "yolop"):
        metrics = validate(trained, open_dataset(barren), protocol)
        assert metrics["detection"]["n_gt"] == 1
        figures = [value for task in ("detection", "drivable", "lane") for value in metrics[task].values()]
        assert np.isfinite(np.concatenate([np.ravel(value) for value in figures])).all()


TRAIN = ["--batch", 2, "--epochs", 1, "--device", "cpu", "--precision", "fp32"]


def test_a_data_set_without_lane_masks(panoedge, scenes, teacher, tmp_path):
    root = shutil.copytree(scenes, tmp_path / "no-lanes", ignore=shutil.ignore_patterns("ll_seg_annotations"))
    out = tmp_path / "out.safetensors"
    command = panoedge.run("train", "--start", teacher, "--data", root, *TRAIN, "--validate-every", 1, "--out", out)
    assert command.status == 0
    assert command.lines[0] == f"{root}: has no labels for lane; its frames teach detection, drivable only"
    (stage,) = checkpoint.load(out).history
    assert set(stage["validation"][0]) == {"epoch", "recall", "mAP50", "drivable_mIoU"}
    distilled = ["distill", teacher, "--teacher", teacher, "--data", root, *TRAIN, "--validate-every", 0]
    assert panoedge.run(*distilled, "--out", tmp_path / "student.safetensors").status == 0
    prune = ["prune", teacher, "--budget", "params=0.9", "--rounds", 1, "--calibration", 8, "--device", "cpu"]
    pruned = panoedge.run(*prune, "--data", root, "--out", tmp_path / "p.safetensors")
    assert pruned.status == 2
    assert pruned.lines[-1] == (
        f"panoedge: {teacher}: none of the data has labels for lane; what is not measured cannot be kept safe"
    )


def test_each_task_is_measured_where_it_is_labelled(panoedge, scenes, teacher, tmp_path):
    parts = {"no-lanes": "ll_seg_annotations", "lanes-only": "d*_annotations"}
    roots = [
        shutil.copytree(scenes, tmp_path / name, ignore=shutil.ignore_patterns(lost)) for name, lost in parts.items()
    ]
    (roots[0] / "images/train/train-000002.jpg").write_bytes(b"nothing")
    out = tmp_path / "pruned.safetensors"
    prune = ["prune", teacher, "--budget", "params=0.9", "--rounds", 1, "--calibration", 32, "--device", "cpu"]
    command = panoedge.run(*prune, "--data", *roots, "--on-bad-data", "skip", "--out", out)
    assert command.status == 0
    (record,) = checkpoint.load(out).history
    assert set(record["given_up"][0]) == {"detection", "drivable", "lane"}
    assert record["skipped_frames"] == 1
    assert any(line.startswith(f"skipped: {roots[0]}/images/train/train-000002.jpg") for line in command.lines)


def test_frames_that_cannot_be_used_stop_or_are_skipped_and_counted(panoedge, scenes, teacher, tmp_path):
    root = shutil.copytree(scenes, tmp_path / "bad")
    (root / "images/train/train-000002.jpg").write_bytes(b"nothing")
    (root / "images/val/val-000001.jpg").write_bytes(b"nothing")
    (root / "det_annotations/train/train-000004.json").unlink()
    out = tmp_path / "out.safetensors"
    argv = ["train", "--start", teacher, "--data", root, *TRAIN, "--workers", 2, "--validate-every", 1, "--out", out]
    stopped = panoedge.run(*argv)
    assert stopped.status == 2
    assert stopped.lines == [
        f"panoedge: {root}/det_annotations/train/train-000004.json: missing (1 of 8 pictures lack theirs)"
    ]
    skipped = panoedge.run(*argv, "--on-bad-data", "skip")
    assert skipped.status == 0
    wrong = "cannot be decoded as a JPEG or PNG picture, copy the file again"
    assert f"skipped: {root}/images/train/train-000002.jpg: {wrong}" in skipped.lines
    assert f"skipped in validation: {root}/images/val/val-000001.jpg: {wrong}" in skipped.lines
    assert skipped.lines[-1] == "2 frames were skipped, they cannot be used; panoedge data check lists them"
    assert checkpoint.load(out).history[-1]["skipped_frames"] == 2


def test_a_single_image_a_batch_is_refused(panoedge, scenes, teacher, tmp_path):
    command = panoedge.run(
        "train",
        "--start",
        teacher,
        "--data",
        scenes,
        "--batch",
        1,
        "--device",
        "cpu",
        "--out",
        tmp_path / "o.safetensors",
    )
    assert command.status == 2
    (line,) = command.lines
    assert line.startswith("panoedge: batch 1: batch norms need 2 images or more")


def test_a_network_whose_answers_are_no_numbers_is_not_measured(network, scenes, tmp_path):
    root = shutil.copytree(scenes, tmp_path / "many")
    for number in range(30):
        for file in root.glob("*/val/val-000000.*"):
            shutil.copy(file, file.with_stem(f"copy-{number:02}"))
    broken = type(network)(**network.config)
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(
        InputError,
        match=r"^copy-19: the network's outputs are not all finite: detection, drivable, lane; 20 in a",
    ):
        validate(broken, open_dataset(root))


@pytest.mark.parametrize("importance", ["safe", "taylor"])
def test_importance_where_nothing_is_labelled(network, barren, tmp_path, importance):
    checkpoint.save(tmp_path / "whole.safetensors", network, [])
    settings = PruneSettings(
        Budget("params", 0.9), importance, rounds=1, calibration=4, reestimation=4, batch=2, device="cpu"
    )
    out = tmp_path / "pruned.safetensors"
    prune_checkpoint(tmp_path / "whole.safetensors", [Source(barren)], settings, out)
    pruned = checkpoint.load(out).network
    assert sum(map(torch.numel, pruned.parameters())) < sum(map(torch.numel, network.parameters()))
    assert all(tensor.isfinite().all() for tensor in pruned.state_dict().values())
