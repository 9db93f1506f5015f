"""Both evaluators against what the authors' own validators answer on the same input."""

import json

import numpy as np
import pytest

from perception.errors import InputError
from perception.geometry import fit
from perception.metrics.protocols import MAX_BOXES, MIN_SCORE, NMS_IOU, PROTOCOLS, RmtPpad, Yolop
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import DETECTION, DRIVABLE, LANE, Outputs

EXACT = {"abs": 1e-6, "rel": 0}
BOX = np.array([[10, 10, 50, 50]], np.float32)
NO_BOX = np.zeros((0, 4), np.float32)
MASK = np.eye(8, dtype=np.uint8)


def truths(fixture) -> list[np.ndarray]:
    """Ground-truth boxes, one array an image."""
    return np.split(fixture["det_gt_xyxy"], fixture["det_gt_count"].cumsum()[:-1])


@pytest.fixture(scope="session")
def expected(reference):
    return json.loads((reference / "metrics_expected.json").read_text())


@pytest.fixture(scope="session")
def rmt_ppad(reference):
    with np.load(reference / "metrics_rmt_ppad.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def yolop(reference):
    with np.load(reference / "metrics_yolop.npz") as arrays:
        return dict(arrays)


def check_detection(metrics, expected):
    for key in ("precision", "recall", "mAP50", "mAP50_95", "AP_per_iou"):
        assert metrics[DETECTION][key] == pytest.approx(expected[key], **EXACT), key
    assert metrics[DETECTION]["n_gt"] == expected["n_gt"]
    assert metrics[DETECTION]["n_pred"] == expected["n_pred"]
    assert metrics["frames"] == expected["n_images"]


def test_rmt_ppad_detection_equals_the_authors(rmt_ppad, expected):
    evaluator = RmtPpad()
    for boxes, scores, truth in zip(
        rmt_ppad["det_pred_xyxy"], rmt_ppad["det_pred_conf"], truths(rmt_ppad), strict=True
    ):
        evaluator.add_boxes(boxes, scores, truth)
    check_detection(evaluator.result(), expected["rmt-ppad"]["detection"])


def test_rmt_ppad_segmentation_equals_the_authors(rmt_ppad, expected):
    evaluator = RmtPpad()
    evaluator.add_boxes(NO_BOX, np.zeros(0, np.float32), NO_BOX)
    for probability, truth in zip(rmt_ppad["seg_prob"], rmt_ppad["seg_gt"], strict=True):
        evaluator.add_mask(DRIVABLE, probability[0] > 0.45, truth[0])
        evaluator.add_mask(LANE, probability[1] > 0.90, truth[1])
    metrics = evaluator.result()
    for key, value in expected["rmt-ppad"]["segmentation"].items():
        task, figure = key.split("_", 1)
        assert metrics[task][figure] == pytest.approx(value, **EXACT), key


def test_yolop_detection_equals_the_authors(yolop, expected):
    spec = InputSpec((384, 640))
    placed = fit((720, 1280), spec.size, spec.resize)
    centre, side, confidence = (yolop["det_cand"][..., part] for part in (slice(0, 2), slice(2, 4), slice(4, 6)))
    masks = np.zeros((len(centre), 1, 1), np.uint8)
    outputs = Outputs(
        np.concatenate([centre - side / 2, centre + side / 2], axis=-1), confidence.prod(axis=-1), masks, masks
    )
    evaluator = Yolop()
    for index, truth in enumerate(truths(yolop)):
        seen = postprocess(outputs, index, spec, placed, MIN_SCORE, NMS_IOU, MAX_BOXES, clip=evaluator.clip_boxes)
        evaluator.add_boxes(seen.boxes, seen.scores, truth)
    check_detection(evaluator.result(), expected["yolop"]["detection"])


@pytest.mark.parametrize(("batch", "name"), [(4, "segmentation"), (5, "segmentation_batch5")])
def test_yolop_segmentation_equals_the_authors(yolop, expected, batch, name):
    evaluator = Yolop(segmentation_batch=batch)
    evaluator.add_boxes(NO_BOX, np.zeros(0, np.float32), NO_BOX)
    window = slice(4, -4)
    for task, key in ((DRIVABLE, "da"), (LANE, "ll")):
        for score, truth in zip(yolop[f"seg_{key}_score"], yolop[f"seg_{key}_gt"], strict=True):
            evaluator.add_mask(task, (score[1] > score[0])[window], truth[window])
    metrics = evaluator.result()
    figures = {"acc": "ACC", "line_accuracy": "ACC", "IoU": "IoU", "mIoU": "mIoU"}
    for key, value in expected["yolop"][name].items():
        task, figure = key.split("_", 1)
        assert metrics[task][figures[figure]] == pytest.approx(value, **EXACT), key
    assert metrics["segmentation_batch"] == batch


@pytest.mark.parametrize(("protocol", "perfect_ap"), [("rmt-ppad", 0.995), ("yolop", 1.0)])
def test_perfect_predictions(protocol, perfect_ap):
    evaluator = PROTOCOLS[protocol]()
    for _ in range(3):
        evaluator.add_boxes(BOX, np.ones(1, np.float32), BOX)
        for task in (DRIVABLE, LANE):
            evaluator.add_mask(task, MASK, MASK)
    metrics = evaluator.result()
    assert metrics["protocol"] == protocol
    assert metrics[DETECTION]["recall"] == metrics[DETECTION]["precision"] == 1
    assert metrics[DETECTION]["AP_per_iou"] == pytest.approx([perfect_ap] * 10)
    for task in (DRIVABLE, LANE):
        assert [metrics[task][key] for key in ("mIoU", "IoU", "ACC")] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_record_is_plain_json(protocol):
    evaluator = PROTOCOLS[protocol]()
    evaluator.add_boxes(BOX, np.ones(1, np.float32), BOX)
    evaluator.add_mask(LANE, MASK, MASK)
    assert json.loads(json.dumps(evaluator.result())) == evaluator.result()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_frames_without_predictions_or_truth(protocol):
    evaluator = PROTOCOLS[protocol]()
    evaluator.add_boxes(NO_BOX, np.zeros(0, np.float32), BOX)
    evaluator.add_boxes(NO_BOX, np.zeros(0, np.float32), NO_BOX)
    assert evaluator.result()[DETECTION]["recall"] == 0
    evaluator.add_boxes(BOX, np.ones(1, np.float32), NO_BOX)
    evaluator.add_boxes(BOX, np.full(1, 0.5, np.float32), BOX)
    detection = evaluator.result()[DETECTION]
    assert (detection["n_gt"], detection["n_pred"]) == (2, 2)
    assert detection["recall"] == detection["precision"] == 0.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_order_of_boxes_does_not_matter(protocol):
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 100, (40, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (40, 2))], axis=1).astype(np.float32)
    scores = rng.random(40, np.float32)
    results = []
    for order in (np.arange(40), rng.permutation(40)):
        evaluator = PROTOCOLS[protocol]()
        evaluator.add_boxes(boxes[order], scores[order], boxes[:7] + 2)
        results.append(evaluator.result())
    assert results[0] == results[1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_to_evaluate(protocol):
    with pytest.raises(InputError, match="nothing to evaluate"):
        PROTOCOLS[protocol]().result()


def test_only_rmt_ppad_keeps_every_query():
    assert RmtPpad().min_score(needs_nms=False) == -np.inf
    assert RmtPpad().min_score(needs_nms=True) == MIN_SCORE
    assert Yolop().min_score(needs_nms=False) == Yolop().min_score(needs_nms=True) == MIN_SCORE
