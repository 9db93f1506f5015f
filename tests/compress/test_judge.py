from dataclasses import replace

import pytest
import torch

from compress.data import Frames, Source, collate
from compress.judge import judge
from perception.geometry import fit
from perception.metrics.protocols import MAX_BOXES, NMS_IOU, RmtPpad
from perception.networks.inference import inference
from perception.postprocess import postprocess


@pytest.fixture
def frames(dataset, network):
    return Frames([Source(dataset)], "val", network.spec)


def together(frames, *sizes):
    """The first frames in batches of these sizes."""
    numbers = iter(range(len(frames)))
    return [collate([frames[0, next(numbers)] for _ in range(size)]) for size in sizes]


def test_every_image_counts_alike_in_whatever_batch(network, frames):
    whole = judge(network, together(frames, 3)).losses
    assert list(whole) == ["detection", "drivable", "lane"]
    for sizes in ((1, 1, 1), (2, 1)):
        parts = judge(network, together(frames, *sizes)).losses
        assert parts["drivable"] == pytest.approx(whole["drivable"], rel=1e-4)


def test_a_task_without_labels_is_absent(network, frames):
    (images, targets), other = together(frames, 2, 1)
    unlabelled = images, targets._replace(tasks=("lane",))
    assert list(judge(network, [unlabelled]).losses) == ["lane"]
    mixed = judge(network, [unlabelled, other]).losses
    assert mixed["drivable"] == pytest.approx(judge(network, [other]).losses["drivable"])


def test_overlaps_count_the_pixels_of_all_images_together(network, frames):
    # A threshold that parts an untrained network's answers, so that the masks agree with labels here and there.
    (images, targets), other = together(frames, 2, 1)
    with torch.no_grad():
        sure = network.eval().decode(network(network.normalise(images))).lane.median().item()
    network.spec = replace(network.spec, thresholds={**network.spec.thresholds, "lane": sure})
    found = judge(network, [(images, targets), other])
    shared = joined = 0
    for pictures, labels in ((images, targets), other):
        with torch.no_grad():
            lane = network.decode(network(network.normalise(pictures))).lane > sure
        shared += int((lane & (labels.lane == 1)).sum())
        joined += int((lane | (labels.lane == 1)).sum())
    assert 0 < shared < joined
    assert list(found.scores) == ["detection", "drivable", "lane"]
    assert found.scores["lane"] == pytest.approx(shared / joined)


def test_boxes_score_as_an_evaluation_of_the_same_frames_has_it(network, frames, with_its_boxes):
    batches = with_its_boxes(network, together(frames, 2, 1))
    evaluator = RmtPpad()
    for images, targets in batches:
        outputs = inference(network)(images.numpy())
        for index in range(len(images)):
            placed = fit(network.spec.size, network.spec.size, network.spec.resize)
            seen = postprocess(outputs, index, network.spec, placed, 0.001, NMS_IOU, MAX_BOXES, clip=False)
            evaluator.add_boxes(seen.boxes, seen.scores, targets.boxes[targets.boxes[:, 0] == index, 1:].numpy())
    expected = evaluator.result()["detection"]["mAP50"]
    assert 0 < expected < 1
    assert judge(network, batches).scores["detection"] == pytest.approx(expected, rel=1e-6)


def test_what_a_batch_has_no_labels_for_scores_nothing(network, frames):
    (images, targets), other = together(frames, 2, 1)
    assert list(judge(network, [(images, targets._replace(tasks=("detection", "lane")))]).scores) == [
        "detection",
        "lane",
    ]
    mixed = judge(network, [(images, targets._replace(tasks=("lane",))), other])
    assert mixed.scores["drivable"] == judge(network, [other]).scores["drivable"]


def test_the_network_is_left_in_evaluation_mode(network, frames):
    network.train()
    judge(network, together(frames, 2))
    assert not network.training
