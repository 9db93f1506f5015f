import numpy as np
import pytest

from perception.geometry import fit
from perception.spec import InputSpec
from perception.tasks import Prediction
from runtime.overlay import draw

SPEC = InputSpec((64, 96))


def prediction(boxes=(), drivable=None, lane=None):
    boxes = np.float32(boxes).reshape(-1, 4)
    empty = np.zeros(SPEC.size, np.uint8)
    return Prediction(
        boxes,
        np.linspace(0.9, 0.5, len(boxes), dtype=np.float32),
        empty if drivable is None else drivable,
        empty if lane is None else lane,
    )


def painted(image, seen):
    result = draw(image, seen, fit(image.shape[:2], SPEC.size, SPEC.resize), SPEC)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    return result


def test_nothing_seen_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
    result = painted(image, prediction())
    np.testing.assert_array_equal(result, image)
    assert result is not image


def test_masks_are_tinted_where_they_lie():
    image = np.full((128, 192, 3), 100, np.uint8)
    road, line = np.zeros(SPEC.size, np.uint8), np.zeros(SPEC.size, np.uint8)
    road[32:] = 255
    line[:, :8] = 255
    before = image.copy()
    result = painted(image, prediction(drivable=road, lane=line)).astype(int)
    np.testing.assert_array_equal(image, before)
    red, green, blue = result[120, 150]
    assert green > 100 > red and green > blue
    red, green, blue = result[10, 4]
    assert red > blue > green
    assert (result[10, 150] == 100).all()
    # Where both lie the line is on top.
    red, green, _ = result[120, 4]
    assert red > green


def test_thresholds_decide():
    half = np.full(SPEC.size, 127, np.uint8)
    image = np.full((64, 96, 3), 100, np.uint8)
    assert (painted(image, prediction(drivable=half)) == 100).all()
    assert not (painted(image, prediction(drivable=half + 1)) == 100).any()


@pytest.mark.parametrize("size", [(90, 160), (720, 1280), (2160, 3840)])
def test_boxes_at_any_size_and_at_every_border(size):
    height, width = size
    corners = [
        (0, 0, 0.2, 0.2),
        (0.9, 0, 1, 0.1),
        (0, 0.9, 0.1, 1),
        (0.95, 0.95, 1, 1),
        (0.4, 0.4, 0.6, 0.6),
        (0.5, 0.5, 0.5, 0.5),
    ]
    boxes = np.float32(corners) * np.float32([width, height, width, height])
    image = np.full((height, width, 3), 100, np.uint8)
    result = painted(image, prediction(boxes))
    middle = result[round(height * 0.6), round(width * 0.45)]
    assert middle[0] > 150 and middle[2] < 100
    assert (result[round(height * 0.7) :, round(width * 0.2) : round(width * 0.8)] == 100).all()


def test_a_picture_smaller_than_its_letters():
    result = painted(np.full((8, 8, 3), 100, np.uint8), prediction([(0, 0, 8, 8), (3, 3, 4, 4)]))
    assert not (result == 100).all()


def test_the_best_box_is_on_top():
    image = np.full((720, 1280, 3), 100, np.uint8)
    best, worse = (300, 300, 500, 500), (304, 304, 504, 504)
    both, alone = painted(image, prediction([best, worse])), painted(image, prediction([best]))
    label = np.s_[284:296, 304:328]
    np.testing.assert_array_equal(both[label], alone[label])
