import numpy as np
import pytest

from perception.geometry import fit
from perception.postprocess import postprocess
from perception.spec import InputSpec
from perception.tasks import Outputs

SPEC = InputSpec((64, 128), "letterbox")
QUERIES = InputSpec((64, 128), "stretch", needs_nms=False)
PLACED = fit((120, 256), SPEC.size, "letterbox")


def answer(boxes, scores, frames=1):
    """Outputs whose last frame has these candidates; the frames before it have better ones elsewhere."""
    boxes, scores = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
    others = [np.full_like(boxes, 1)] * (frames - 1), [np.ones_like(scores)] * (frames - 1)
    masks = np.arange(frames, dtype=np.uint8)[:, None, None] * np.ones((1, 64, 128), np.uint8)
    return Outputs(np.stack([*others[0], boxes]), np.stack([*others[1], scores]), masks, masks + 100)


def test_boxes_come_home_and_masks_stay():
    seen = postprocess(answer([[10, 12, 30, 22]], [0.5], frames=3), 2, SPEC, PLACED)
    assert seen.boxes.tolist() == [[20, 20, 60, 40]]
    assert seen.scores.tolist() == [0.5]
    assert seen.boxes.dtype == seen.scores.dtype == np.float32
    assert (seen.drivable == 2).all()
    assert (seen.lane == 102).all()


@pytest.mark.parametrize("spec", [SPEC, QUERIES])
def test_the_score_must_exceed_the_threshold(spec):
    boxes = [[0, 10, 9, 20], [20, 10, 29, 20], [40, 10, 49, 20]]
    seen = postprocess(answer(boxes, [0.25, 0.26, 0.9]), 0, spec, PLACED, min_score=0.25)
    assert seen.scores == pytest.approx([0.9, 0.26])


def test_overlaps_are_suppressed_only_where_the_network_needs_it():
    outputs = answer([[10, 10, 30, 30], [10, 10, 30, 31], [50, 10, 60, 30]], [0.6, 0.9, 0.7])
    assert postprocess(outputs, 0, SPEC, PLACED).scores == pytest.approx([0.9, 0.7])
    assert postprocess(outputs, 0, QUERIES, PLACED).scores == pytest.approx([0.9, 0.7, 0.6])


@pytest.mark.parametrize("spec", [SPEC, QUERIES])
def test_the_best_are_kept(spec):
    boxes = [[12 * k, 10, 12 * k + 9, 20] for k in range(8)]
    seen = postprocess(answer(boxes, np.arange(1, 9) / 10), 0, spec, PLACED, limit=3)
    assert seen.scores == pytest.approx([0.8, 0.7, 0.6])


def test_boxes_end_at_the_border_unless_told_otherwise():
    outputs = answer([[-4, 0, 140, 66]], [0.9])
    assert postprocess(outputs, 0, SPEC, PLACED).boxes.tolist() == [[0, 0, 256, 120]]
    assert postprocess(outputs, 0, SPEC, PLACED, clip=False).boxes.tolist() == [[-8, -4, 280, 128]]


@pytest.mark.parametrize("spec", [SPEC, QUERIES])
@pytest.mark.parametrize("min_score", [0.25, -np.inf])
def test_what_is_not_a_number_is_dropped(spec, min_score):
    good, nowhere, endless = [10, 10, 30, 30], [np.nan, 0, 9, 9], [0, 0, np.inf, 9]
    outputs = answer([good, good, nowhere, endless], [0.5, np.nan, 0.9, 0.8])
    assert postprocess(outputs, 0, spec, PLACED, min_score).scores.tolist() == [0.5]


@pytest.mark.parametrize("spec", [SPEC, QUERIES])
@pytest.mark.parametrize("candidates", [0, 5])
def test_nothing_seen(spec, candidates):
    seen = postprocess(answer(np.zeros((candidates, 4)), np.zeros(candidates)), 0, spec, PLACED)
    assert seen.boxes.shape == (0, 4)
    assert seen.scores.shape == (0,)
