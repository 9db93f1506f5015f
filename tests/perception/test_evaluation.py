import json
from dataclasses import replace

import numpy as np
import pytest

from perception.errors import InputError
from perception.evaluation import evaluate, headline
from perception.geometry import fit
from perception.metrics.protocols import PROTOCOLS
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE, Outputs, Sample

SPECS = [
    InputSpec((64, 128), "letterbox", {DRIVABLE: 0.5, LANE: 0.5}, needs_nms=True),
    InputSpec((64, 128), "stretch", {DRIVABLE: 0.45, LANE: 0.9}, needs_nms=False),
]
SIZES = [(72, 128), (100, 60), (64, 128), (33, 57), (144, 256)]


def scene(index, size):
    """A frame whose brightness is its index, with up to three boxes that do not overlap."""
    height, width = size
    rng = np.random.default_rng(index)
    corners = np.array([[0.05 + 0.3 * k, 0.2] for k in range(index % 4)]).reshape(-1, 2)
    boxes = np.concatenate([corners, corners + rng.uniform(0.15, 0.25, corners.shape)], axis=1)
    drivable = np.zeros(size, np.uint8)
    drivable[height // 2 :, width // 5 :] = 1
    lane = np.zeros(size, np.uint8)
    lane[height // 2 :, width // 2 : width // 2 + 3] = 1
    image = np.full((*size, 3), index, np.uint8)
    return Sample(f"{index}", image, (boxes * [width, height, width, height]).astype(np.float32), drivable, lane)


SCENES = [scene(index, SIZES[index % len(SIZES)]) for index in range(7)]


class Oracle:
    """Knows every scene by its brightness and answers with the truth, as a network would put it."""

    def __init__(self, spec, protocol):
        self.spec = spec
        self.rule = PROTOCOLS[protocol].mask_rule
        self.batches = []

    def __call__(self, pictures):
        assert pictures.dtype == np.uint8
        self.batches.append(pictures.shape)
        count, (height, width) = len(pictures), self.spec.size
        boxes, scores = np.zeros((count, 5, 4), np.float32), np.zeros((count, 5), np.float32)
        masks = {task: np.zeros((count, height, width), np.uint8) for task in (DRIVABLE, LANE)}
        for index, picture in enumerate(pictures):
            sample = SCENES[picture[height // 2, width // 2, 0]]
            placed = fit(sample.image.shape[:2], self.spec.size, self.spec.resize)
            found = len(sample.boxes)
            boxes[index, :found] = placed.boxes(sample.boxes)
            scores[index, :found] = 0.9
            for task in masks:
                masks[task][index] = self.paint(placed, placed.mask(getattr(sample, task), self.rule), task)
        return Outputs(boxes, scores, masks[DRIVABLE], masks[LANE])

    def paint(self, placed, mask, task):
        """Just above and just below the threshold; nonsense on the padding, which must not count."""
        edge = int(self.spec.thresholds[task] * 255)
        out = np.full(mask.shape, 255, np.uint8)
        out[placed.window] = np.where(mask, edge + 1, edge)[placed.window]
        return out


@pytest.mark.parametrize("batch", [1, 3, 7, 16])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.resize)
def test_the_truth_scores_full_marks(spec, protocol, batch):
    network = Oracle(spec, protocol)
    metrics = evaluate(network, spec, iter(SCENES), protocol, batch)
    assert metrics["protocol"] == protocol
    assert metrics["frames"] == len(SCENES)
    assert metrics[DETECTION]["n_gt"] == sum(len(sample.boxes) for sample in SCENES)
    assert metrics[DETECTION]["recall"] == 1
    for task in (DRIVABLE, LANE):
        assert [metrics[task][key] for key in ("mIoU", "IoU", "ACC")] == pytest.approx([1, 1, 1])
    assert network.batches == [(batch, 64, 128, 3)] * -(-len(SCENES) // batch)
    assert json.loads(json.dumps(metrics)) == metrics


def test_batches_do_not_change_the_result():
    results = [evaluate(Oracle(SPECS[0], "yolop"), SPECS[0], SCENES, "yolop", batch) for batch in (1, 2, 7)]
    assert results[0] == results[1] == results[2]


def test_every_query_counts_only_under_rmt_ppad():
    boxes = sum(len(sample.boxes) for sample in SCENES)
    for protocol, expected in (("rmt-ppad", 5 * len(SCENES)), ("yolop", boxes)):
        metrics = evaluate(Oracle(SPECS[1], protocol), SPECS[1], SCENES, protocol)
        assert metrics[DETECTION]["n_pred"] == expected
        assert metrics[DETECTION]["mAP50"] > 0.99


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_network_without_some_tasks(protocol):
    whole = Oracle(SPECS[0], protocol)
    spec = replace(SPECS[0], tasks=(LANE,))
    everything = evaluate(whole, SPECS[0], SCENES, protocol)
    metrics = evaluate(lambda pictures: Outputs(lane=whole(pictures).lane), spec, SCENES, protocol)
    assert metrics == {key: value for key, value in everything.items() if key not in (DETECTION, DRIVABLE)}
    assert list(headline(metrics)) == ["lane_IoU", "lane_ACC"]


def test_a_blind_network():
    def blind(pictures):
        masks = np.zeros(pictures.shape[:3], np.uint8)
        return Outputs(np.full((1, 4, 4), np.nan, np.float32), np.full((1, 4), np.nan, np.float32), masks, masks)

    metrics = evaluate(blind, SPECS[0], SCENES)
    assert metrics[DETECTION]["n_pred"] == metrics[DETECTION]["recall"] == metrics[DETECTION]["mAP50"] == 0
    assert metrics[LANE]["IoU"] == pytest.approx(0, abs=1e-9)
    assert metrics[LANE]["ACC"] == pytest.approx(0.5)


def test_answers_that_are_no_numbers_are_told_and_counted(capsys):
    oracle = Oracle(SPECS[0], "rmt-ppad")
    calls = iter(range(100))

    def sometimes(pictures):
        outputs = oracle(pictures)
        if next(calls) in (1, 3):
            outputs.scores[:] = np.inf
        return outputs

    evaluate(sometimes, SPECS[0], SCENES)
    assert capsys.readouterr().err.splitlines() == [
        "1: the network's outputs are not all finite: detection",
        "3: the network's outputs are not all finite: detection",
        "2 frames where the network's outputs were not all finite",
    ]


def test_a_mask_that_was_not_finite_is_told_by_frame_and_task(capsys):
    oracle = Oracle(SPECS[0], "rmt-ppad")
    evaluate(
        lambda pictures: replace(oracle(pictures), lane_mean=np.float32([np.nan if len(oracle.batches) == 2 else 0.5])),
        SPECS[0],
        SCENES,
    )
    assert capsys.readouterr().err.splitlines() == [
        "1: the network's outputs are not all finite: lane",
        "1 frames where the network's outputs were not all finite",
    ]


def test_tasks_that_frames_are_not_labelled_for_do_not_count():
    oracle = Oracle(SPECS[0], "rmt-ppad")
    everything = evaluate(oracle, SPECS[0], SCENES)
    oracle = Oracle(SPECS[0], "rmt-ppad")
    metrics = evaluate(oracle, SPECS[0], [replace(scene, tasks=(DETECTION, LANE)) for scene in SCENES])
    assert metrics == {key: value for key, value in everything.items() if key != DRIVABLE}


def test_progress_counts_frames():
    steps = []
    evaluate(Oracle(SPECS[0], "rmt-ppad"), SPECS[0], SCENES, batch=3, progress=steps.append)
    assert steps == [3, 3, 1]


def test_samples_are_read_as_they_are_needed():
    unread = iter(SCENES)
    network = Oracle(SPECS[0], "rmt-ppad")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(network, SPECS[0], unread, batch=2, progress=stop)
    assert len(list(unread)) == len(SCENES) - 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_samples(protocol):
    with pytest.raises(InputError, match="nothing to evaluate"):
        evaluate(Oracle(SPECS[0], protocol), SPECS[0], [], protocol)


def test_headline_names_and_order():
    metrics = evaluate(Oracle(SPECS[0], "rmt-ppad"), SPECS[0], SCENES)
    figures = headline(metrics)
    assert list(figures) == ["recall", "mAP50", "drivable_mIoU", "lane_IoU", "lane_ACC"]
    assert figures["drivable_mIoU"] == metrics[DRIVABLE]["mIoU"]
    assert all(type(value) is float for value in figures.values())
