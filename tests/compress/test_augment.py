import numpy as np
import pytest

from compress.augment import Augmentation, Frame, augment, draw_matrix, move, recolour

SIZE = (128, 192)
STILL = Augmentation(flip=0, rotate=0, scale=0, translate=0, hue=0, saturation=0, value=0, blur=0, noise=0)
MIRROR = np.array([[-1.0, 0, SIZE[1]], [0, 1, 0]])


def frame(x1=60, y1=40, x2=130, y2=90):
    """A filled rectangle as box, as both masks and in the picture."""
    mask = np.zeros(SIZE, np.uint8)
    mask[y1:y2, x1:x2] = 1
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    image[mask > 0] = (200, 30, 30)
    return Frame(image, np.float32([[x1, y1, x2, y2]]), mask, mask.copy())


def extent(mask):
    rows, columns = np.nonzero(mask)
    return np.float32([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def same(a, b):
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("image", "boxes", "drivable", "lane"))


def test_settings_of_zero_move_nothing():
    before = frame()
    matrix = draw_matrix(SIZE, STILL, np.random.default_rng(0))
    assert np.allclose(matrix, [[1, 0, 0], [0, 1, 0]])
    assert same(move(before, matrix, keep=0.3), before)


def test_settings_of_zero_keep_colours_but_for_rounding():
    image = frame().image
    changed = recolour(image, STILL, np.random.default_rng(0))
    assert np.abs(changed.astype(int) - image).max() <= 6  # OpenCV's 8-bit hue has 180 steps


@pytest.mark.parametrize("seed", range(20))
def test_boxes_and_masks_move_together(seed):
    settings = Augmentation(rotate=10, scale=0.3, translate=0.1)
    moved = move(frame(), draw_matrix(SIZE, settings, np.random.default_rng(seed)), keep=0.3)
    assert np.array_equal(moved.drivable, moved.lane)
    assert set(np.unique(moved.drivable)) == {0, 1}
    assert np.abs(extent(moved.drivable) - moved.boxes[0]).max() <= 1.5
    red = (np.abs(moved.image.astype(int) - (200, 30, 30)) < 3).all(2)
    assert (red & (moved.drivable > 0)).sum() >= 0.9 * moved.drivable.sum()


def test_mirrored_twice_is_the_original():
    before = frame()
    once = move(before, MIRROR, keep=0.3)
    assert np.array_equal(once.image, before.image[:, ::-1])
    assert np.array_equal(once.lane, before.lane[:, ::-1])
    assert once.boxes.tolist() == [[SIZE[1] - 130, 40, SIZE[1] - 60, 90]]
    assert same(move(once, MIRROR, keep=0.3), before)


def test_flip_probability_is_obeyed():
    always = Augmentation(flip=1, rotate=0, scale=0, translate=0)
    assert np.allclose(draw_matrix(SIZE, always, np.random.default_rng(3)), MIRROR)


def test_a_seed_decides_everything():
    first, again, other = (augment(frame(), Augmentation(), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert same(first, again)
    assert not np.array_equal(first.image, other.image)


def test_input_is_not_written_to():
    before = frame()
    augment(before, Augmentation(blur=1, noise=1), np.random.default_rng(1))
    assert same(before, frame())


@pytest.mark.parametrize(("shift", "left"), [(-80, [[0, 40, 50, 90]]), (-115, []), (-300, [])])
def test_boxes_are_clipped_and_dropped_when_little_is_left(shift, left):
    moved = move(frame(), np.array([[1.0, 0, shift], [0, 1, 0]]), keep=0.3)
    assert moved.boxes.tolist() == left
    assert moved.boxes.shape == (len(left), 4) and moved.boxes.dtype == np.float32


def test_a_frame_without_boxes_keeps_its_shape():
    empty = frame()
    empty = Frame(empty.image, np.zeros((0, 4), np.float32), empty.drivable, empty.lane)
    assert augment(empty, Augmentation(), np.random.default_rng(0)).boxes.shape == (0, 4)


def test_brightness_goes_as_far_as_asked():
    image = np.full((*SIZE, 3), 100, np.uint8)
    settings = Augmentation(hue=0, saturation=0, value=0.4, blur=0, noise=0)
    means = [recolour(image, settings, np.random.default_rng(seed)).mean() for seed in range(40)]
    assert 58 <= min(means) < 70 and 130 < max(means) <= 141
