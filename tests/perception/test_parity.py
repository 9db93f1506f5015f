from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from perception.data import open_dataset
from perception.errors import GateFailed
from perception.parity import Measure, Parity, compare_metrics, compare_outputs
from perception.spec import Deployed, InputSpec
from perception.tasks import TASKS, Outputs, output_names

SPEC = InputSpec((32, 32))
PICTURES = [np.zeros((32, 32, 3), np.uint8)]


def deployed(network: str = "net") -> Deployed:
    return Deployed(network, SPEC, "fp32", 1, 1, "")


@dataclass
class File:
    infer: Callable[[np.ndarray], Outputs]
    info: Deployed = deployed()  # noqa: RUF009
    batch: int = 1


def _outputs(boxes: list, scores: list, level: int = 100) -> Outputs:
    mask = np.full((1, 32, 32), level, np.uint8)
    mean = np.array([level / 255], np.float32)
    return Outputs(np.array([boxes], np.float32), np.array([scores], np.float32), mask, mask.copy(), mean, mean)


def _compared(expected: Outputs, found: Outputs, precision: str = "fp32") -> dict[str, Measure]:
    file = File(lambda _: found)
    return {measure.name: measure for measure in compare_outputs(lambda _: expected, file, precision, PICTURES)}


def _passed(measures: dict[str, Measure], what: str) -> bool:
    (verdict,) = (measure for name, measure in measures.items() if name.startswith(f"{what}, % off by more than"))
    return verdict.passed


A, B, LAST = [1, 2, 3, 4], [11, 12, 13, 14], [20, 20, 30, 30]


def test_candidates_with_nearly_equal_scores_may_swap_places():
    found = _compared(_outputs([A, B, LAST], [0.50001, 0.5, 0.1]), _outputs([B, A, LAST], [0.50001, 0.5, 0.1]))
    assert found["boxes, px"].value == 0
    assert found["scores"].value == pytest.approx(1e-5, rel=0.01)
    assert _passed(found, "scores")


def test_a_box_with_the_score_of_another_is_a_difference():
    found = _compared(_outputs([A, B, LAST], [0.9, 0.3, 0.1]), _outputs([B, A, LAST], [0.9, 0.3, 0.1]))
    assert not _passed(found, "boxes") or not _passed(found, "scores")


def test_candidates_beside_the_last_may_drop_out():
    found = _compared(_outputs([A, B], [0.9, 0.10002]), _outputs([A, LAST], [0.9, 0.10001]))
    assert found["boxes, px"].value == 0 and _passed(found, "boxes")


def test_a_moved_a_missing_and_an_additional_box_are_differences():
    expected = _outputs([A, B, LAST], [0.9, 0.8, 0.1])
    moved = _compared(expected, _outputs([A, [11, 12, 13, 14.5], LAST], [0.9, 0.8, 0.1]))
    assert moved["boxes, px"].value == 0.5
    assert moved["boxes, % off by more than 0.1 px"] == Measure("boxes, % off by more than 0.1 px", 50.0, limit=0.0)
    assert not _passed(_compared(expected, _outputs([A, A, LAST], [0.9, 0.8, 0.1])), "boxes")
    assert not _passed(_compared(_outputs([A, A, LAST], [0.9, 0.8, 0.1]), expected), "boxes")


@pytest.mark.parametrize(("precision", "moved", "passed"), [("fp16", 1, True), ("fp16", 2, False), ("fp32", 1, False)])
def test_in_half_precision_a_candidate_in_a_thousand_may_be_another_one(precision, moved, passed):
    """A query that is chosen by a tie: half of the comparisons are the file's with the network."""
    boxes = np.arange(4 * 601).reshape(-1, 4).tolist()
    others = [[edge + 1000 for edge in box] for box in boxes[:moved]] + boxes[moved:]
    scores = [*np.linspace(0.9, 0.5, 600), 0.1]
    found = _compared(_outputs(boxes, scores), _outputs(others, scores), precision)
    assert _passed(found, "boxes") is passed and found["boxes, px"].value > 4


def test_where_nobody_is_seen_nothing_differs():
    nobody = _outputs([A, B], [0.1, 0.1])
    found = _compared(nobody, nobody)
    assert _passed(found, "boxes") and found["boxes, px"] == Measure("boxes, px", 0.0)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_candidates_of_no_numbers_never_pass(fault, precision):
    expected = _outputs([A, LAST], [0.9, 0.1])
    for spoiled in (_outputs([[fault] * 4, LAST], [0.9, 0.1]), _outputs([A, LAST], [fault, 0.1])):
        for pair, count in (((expected, spoiled), 1), ((spoiled, expected), 1), ((spoiled, spoiled), 2)):
            measure = _compared(*pair, precision)["detection, outputs that are not finite"]
            assert (measure.value, measure.passed) == (count, False)


@pytest.mark.parametrize("both", [True, False])
def test_masks_of_no_numbers_never_pass(both):
    sound = _outputs([A, LAST], [0.9, 0.1])
    spoiled = replace(sound, lane_mean=np.float32([np.nan]))
    measure = _compared(spoiled if both else sound, spoiled)["lane, outputs that are not finite"]
    assert (measure.value, measure.passed) == (2 if both else 1, False)
    assert not any("not finite" in name for name in _compared(sound, sound))


def test_masks_may_differ_by_one_level_and_in_fp16_a_few_pixels_by_more():
    expected, found = _outputs([A], [0.5]), _outputs([A], [0.5], level=101)
    key = "lane, % of pixels off by more than 1"
    assert _compared(expected, found)[key].value == 0
    assert _compared(expected, found)["lane, levels of 255"].mean == 1
    found.lane[0, 0, :8] = 110
    assert _compared(expected, found)["lane, levels of 255"].value == 10
    assert _compared(expected, found)[key].value == pytest.approx(100 * 8 / 1024)
    assert not _compared(expected, found)[key].passed
    assert _compared(expected, found, "fp16")[key].passed
    assert _compared(expected, found)["drivable, % of pixels off by more than 1"].passed


def test_the_filling_of_the_last_batch_does_not_count():
    sizes = []

    def infer(images: np.ndarray) -> Outputs:
        sizes.append(len(images))
        outputs = [_outputs([A], [0.5], level=int(image[0, 0, 0])) for image in images]
        return Outputs.of(TASKS, (np.concatenate([getattr(o, name) for o in outputs]) for name in output_names(TASKS)))

    pictures = [np.full((32, 32, 3), level, np.uint8) for level in (1, 2, 3)]
    measures = {
        measure.name: measure
        for measure in compare_outputs(lambda images: infer(images * 0), File(infer, batch=2), "fp32", pictures)
    }
    assert measures["lane, levels of 255"].mean == 2
    assert set(sizes) == {2}


@pytest.mark.parametrize(
    ("network", "precision", "points"),
    [
        ("yolop", "fp32", 0.1),
        ("yolop", "fp16", 0.1),
        ("rmt-ppad", "fp16", 0.2),
        ("own", "fp16", 0.1),
        ("own", "int8", 2),
    ],
)
def test_what_metrics_may_change_by(camvid, network, precision, points):
    def infer(images: np.ndarray) -> Outputs:
        return _outputs([A], [0.5])

    measures = compare_metrics(infer, File(infer, deployed(network)), precision, open_dataset(camvid))
    limits = {measure.name.split(",")[0]: measure.limit for measure in measures}
    assert limits["lane_IoU"] == limits["drivable_mIoU"] == points
    assert limits["mAP50"] == max(points, 100 / 195)


def test_table_and_verdict_name_what_was_missed():
    good, bad = Measure("scores", 1e-7, 1e-8, 1e-4), Measure("boxes, px", 3.25, 0.5, 0.01)
    unjudged = replace(bad, name="levels", limit=None)
    Parity((good, unjudged)).require()
    lines = Parity((good, bad, unjudged)).table().splitlines()
    assert lines[0].split() == ["difference", "to", "the", "network", "largest", "mean", "allowed"]
    assert lines[2].split() == ["boxes,", "px", "3.25", "0.5", "0.01"]
    assert lines[3].split() == ["levels", "3.25", "0.5"]
    with pytest.raises(GateFailed, match=r"^it differs from the network in boxes, px: 3\.25, allowed 0\.01$"):
        Parity((good, bad)).require()
    with pytest.raises(GateFailed, match=r"^a\.engine differs from b\.onnx in boxes, px"):
        Parity((good, bad), "a.engine", "b.onnx").require()
