import cv2
import numpy as np
import pytest

from perception.errors import InputError
from perception.geometry import PAD_COLOUR, check_size, fit, parse_size

NATIVE = [(720, 1280), (480, 640), (1280, 720), (37, 1000), (384, 640), (1, 1), (241, 333)]
SIZES = [(384, 640), (640, 640), (64, 32)]
RESIZES = ["letterbox", "stretch"]


def every_fit():
    """One fit for each mode, input size and native size."""
    return [fit(native, size, resize) for resize in RESIZES for size in SIZES for native in NATIVE]


def describe(placed):
    return f"{placed.native}->{placed.size}{placed.inner}".replace(" ", "")


@pytest.fixture(params=every_fit(), ids=describe)
def placed(request):
    return request.param


def test_the_window_lies_inside_the_input(placed):
    rows, columns = placed.window
    assert 0 <= rows.start < rows.stop <= placed.size[0]
    assert 0 <= columns.start < columns.stop <= placed.size[1]
    assert placed.scale == pytest.approx((placed.inner[0] / placed.native[0], placed.inner[1] / placed.native[1]))


def test_boxes_return_within_a_thousandth_of_a_pixel(placed):
    height, width = placed.native
    corners = np.random.default_rng(0).uniform(-0.2, 1.2, (200, 2, 2)) * [width, height]
    boxes = corners.reshape(-1, 4).astype(np.float32)
    back = placed.boxes_to_native(placed.boxes(boxes))
    assert back.dtype == np.float32
    assert np.abs(back - boxes).max() < 1e-3


def test_the_whole_picture_becomes_the_window(placed):
    height, width = placed.native
    rows, columns = placed.window
    border = placed.boxes(np.array([[0, 0, width, height]], np.float32))
    assert border[0] == pytest.approx([columns.start, rows.start, columns.stop, rows.stop])


def test_a_picture_fills_the_window_and_nothing_else(placed):
    picture = placed.image(np.full((*placed.native, 3), 7, np.uint8))
    assert picture.shape == (*placed.size, 3)
    assert picture.dtype == np.uint8
    assert (picture[placed.window] == 7).all()
    picture[placed.window] = PAD_COLOUR
    assert (picture == PAD_COLOUR).all()


@pytest.mark.parametrize("rule", ["touched", "rounded"])
def test_a_full_mask_fills_the_window_and_nothing_else(placed, rule):
    mask = placed.mask(np.ones(placed.native, np.uint8), rule)
    assert mask.shape == placed.size
    assert (mask[placed.window] == 1).all()
    assert mask.sum() == placed.inner[0] * placed.inner[1]
    assert not placed.mask(np.zeros(placed.native, np.uint8), rule).any()


def test_a_mask_goes_home_without_its_padding(placed):
    mask = np.full(placed.size, 200, np.uint8)
    mask[placed.window] = 90
    home = placed.mask_to_native(mask)
    assert home.shape == placed.native
    assert (home == 90).all()


def test_letterbox_keeps_the_aspect_and_centres():
    placed = fit((720, 1280), (384, 640), "letterbox")
    assert (placed.inner, placed.top, placed.left) == ((360, 640), 12, 0)
    tall = fit((1280, 720), (384, 640), "letterbox")
    assert (tall.inner, tall.top, tall.left) == ((384, 216), 0, 212)


def test_stretch_fills_the_input():
    placed = fit((720, 1280), (640, 640), "stretch")
    assert (placed.inner, placed.scale) == ((640, 640), (640 / 720, 0.5))


def test_a_picture_of_the_right_size_is_copied():
    image = np.random.default_rng(0).integers(0, 256, (384, 640, 3), np.uint8)
    picture = fit((384, 640), (384, 640), "letterbox").image(image)
    assert np.array_equal(picture, image)
    assert not np.shares_memory(picture, image)


@pytest.mark.parametrize("resize", RESIZES)
def test_a_reused_picture_equals_a_new_one(resize):
    placed = fit((300, 200), (96, 128), resize)
    first, second = np.random.default_rng(0).integers(0, 256, (2, 300, 200, 3), np.uint8)
    reused = placed.image(first)
    assert placed.image(second, out=reused) is reused
    assert np.array_equal(reused, placed.image(second))


def test_a_picture_need_not_be_contiguous():
    bgr = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    placed = fit((60, 90), (96, 64), "letterbox")
    assert np.array_equal(placed.image(bgr[..., ::-1]), placed.image(bgr[..., ::-1].copy()))


def test_a_box_follows_what_it_surrounds():
    image = np.zeros((240, 400, 3), np.uint8)
    image[80:160, 100:300] = 255
    for resize in RESIZES:
        placed = fit((240, 400), (192, 160), resize)
        rows, columns = np.nonzero(placed.image(image)[..., 0] == 255)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(placed.boxes(np.array([[100, 80, 300, 160]], np.float32))[0] - seen).max() <= 1


def test_a_thin_lane_survives_only_where_touching_is_enough():
    lane = np.zeros((720, 1280), np.uint8)
    lane[:, 400] = 1
    placed = fit((720, 1280), (192, 320), "letterbox")
    assert placed.mask(lane, "touched")[placed.window].any(axis=1).all()
    assert not placed.mask(lane, "rounded").any()


def test_rounding_keeps_the_area():
    drivable = np.zeros((720, 1280), np.uint8)
    cv2.fillPoly(drivable, [np.array([[500, 300], [780, 300], [1200, 719], [80, 719]])], 1)
    placed = fit((720, 1280), (640, 640), "stretch")
    exact = drivable.mean()
    assert placed.mask(drivable, "rounded").mean() == pytest.approx(exact, rel=2e-3)
    assert placed.mask(drivable, "touched").mean() > exact


def test_a_mask_comes_back_nearly_the_same():
    drivable = np.zeros((480, 640), np.uint8)
    drivable[200:, 100:500] = 1
    placed = fit((480, 640), (384, 640), "letterbox")
    home = placed.mask_to_native(placed.mask(drivable, "rounded") * np.uint8(255)) > 127
    assert (home != drivable.astype(bool)).mean() < 0.005


def test_sizes_a_network_can_take():
    assert check_size((384, 640)) == (384, 640)
    assert check_size((32, 32)) == (32, 32)


@pytest.mark.parametrize("size", [(0, 640), (-32, 640), (384, 650), (16, 32)])
def test_sizes_a_network_cannot_take(size):
    with pytest.raises(InputError, match="multiples of 32"):
        check_size(size)


@pytest.mark.parametrize("text", ["384x640", "384X640", " 384 x 640 "])
def test_parse_size(text):
    assert parse_size(text) == (384, 640)


@pytest.mark.parametrize("text", ["", "384", "384x", "384x640x3", "axb", "384,640", "3.5x64"])
def test_parse_size_names_what_it_wants(text):
    with pytest.raises(InputError, match="HEIGHTxWIDTH"):
        parse_size(text)


@pytest.mark.parametrize(
    ("native", "size", "resize", "expected"),
    [
        ((720, 1280), (640, 640), "stretch", cv2.INTER_LINEAR),
        ((720, 1280), (384, 640), "letterbox", cv2.INTER_LINEAR),
        ((360, 640), (640, 640), "stretch", cv2.INTER_LINEAR),
        ((1080, 1920), (384, 640), "letterbox", cv2.INTER_AREA),
        ((720, 1280), (640, 416), "stretch", cv2.INTER_AREA),
    ],
)
def test_pictures_shrunk_by_more_than_two_are_averaged_by_area(native, size, resize, expected):
    placed = fit(native, size, resize)
    assert placed.interpolation == expected
    image = np.random.default_rng(0).integers(0, 256, (*native, 3), np.uint8)
    np.testing.assert_array_equal(
        placed.image(image)[placed.window], cv2.resize(image, placed.inner[::-1], interpolation=expected)
    )


def test_shrinking_by_two_is_the_same_by_area_and_linearly():
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    placed = fit((720, 1280), (384, 640), "letterbox")
    by_area = cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(placed.image(image)[placed.window], by_area)
