import cv2
import numpy as np
import pytest

from perception.data import pictures
from perception.data.images import is_turned, read_image, read_mask
from perception.errors import InputError


def jpeg(height: int = 40, width: int = 60, *options: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise, options)[1].tobytes()


def with_thumbnail(picture: bytes) -> bytes:
    """Put a whole small JPEG into the header, as cameras do."""
    content = b"Exif\0\0" + jpeg(8, 8)
    return picture[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + picture[2:]


def test_colours_are_rgb(tmp_path):
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), np.full((4, 6, 3), (0, 0, 255), np.uint8))
    image = read_image(path)
    assert image.shape == (4, 6, 3)
    assert image[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)], ids=["baseline", "progressive"])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_cut_jpeg_is_refused_wherever_it_is_cut(tmp_path, options, thumbnail):
    whole = jpeg(40, 60, *options)
    whole = with_thumbnail(whole) if thumbnail else whole
    path = tmp_path / "frame.jpg"
    path.write_bytes(whole)
    assert read_image(path).shape == (40, 60, 3)
    for length in (0, 1, 2, 100, len(whole) // 4, len(whole) // 2, len(whole) - 100, len(whole) - 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"frame\.jpg: "):
            read_image(path)


@pytest.mark.parametrize(
    ("orientation", "shape", "corner"), [(1, (40, 60), "first"), (3, (40, 60), "last"), (6, (60, 40), "left")]
)
def test_pictures_are_turned_as_their_tag_says(tmp_path, turn, orientation, shape, corner):
    stored = jpeg()
    path = tmp_path / "frame.jpg"
    path.write_bytes(stored)
    plain = read_image(path)
    assert not is_turned(path)
    path.write_bytes(turn(stored, orientation))
    image = read_image(path)
    assert image.shape[:2] == shape
    assert is_turned(path) == (orientation != 1)
    first = {"first": plain[0, 0], "last": plain[-1, -1], "left": plain[-1, 0]}[corner]
    np.testing.assert_array_equal(image[0, 0], first)


def test_grey_pictures_become_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.jpg"), np.full((8, 8), 90, np.uint8))
    np.testing.assert_allclose(read_image(tmp_path / "grey.jpg"), np.full((8, 8, 3), 90), atol=1)


def test_cmyk_pictures_become_rgb(tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow to write CMYK")
    pillow.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "red.jpg")[8, 8].tolist()
    assert red > 200 and green < 60 and blue < 60


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path):
    path = tmp_path / "frame.jpg"
    path.write_bytes(jpeg() + bytes(32))
    assert read_image(path).shape == (40, 60, 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_mask_is_refused(tmp_path, share):
    whole = cv2.imencode(".png", np.random.default_rng(0).integers(0, 2, (40, 60), np.uint8))[1].tobytes()
    path = tmp_path / "mask.png"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"mask\.png: cannot be decoded"):
        read_mask(path)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.jpg: cannot be read \(No such file"):
        read_image(tmp_path / "none.jpg")


def test_mask_values_come_as_they_are_stored(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    cv2.imwrite(str(tmp_path / "mask.png"), values)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), values)


def test_a_mask_saved_in_colour_is_read_as_grey(tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((4, 4, 4), 255, np.uint8))
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), np.full((4, 4), 255))


def test_a_16_bit_mask_is_refused_instead_of_losing_its_foreground(tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.ones((4, 4), np.uint16))
    with pytest.raises(InputError, match=r"mask\.png: has 16 bits a pixel"):
        read_mask(tmp_path / "mask.png")


def test_pictures_of_a_folder_in_order_of_name(tmp_path):
    for name, grey in (("b.jpg", 200), ("a.png", 10)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), grey, np.uint8))
    streamed = list(pictures(tmp_path))
    assert [name for name, _ in streamed] == ["a", "b"]
    assert [round(image.mean()) for _, image in streamed] == [10, 200]


def test_pictures_of_one_file(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.zeros((8, 6, 3), np.uint8))
    [(name, image)] = pictures(tmp_path / "one.png")
    assert (name, image.shape) == ("one", (8, 6, 3))


def test_pictures_stream_up_to_a_broken_file(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.png").write_bytes(b"not a picture")
    stream = pictures(tmp_path)
    assert next(stream)[0] == "a"
    with pytest.raises(InputError, match=r"b\.png"):
        next(stream)


def test_pictures_of_a_video(drive_video):
    streamed = list(pictures(drive_video))
    assert len(streamed) == 72
    assert [streamed[0][0], streamed[-1][0]] == ["drive-000000", "drive-000071"]
    assert {image.shape for _, image in streamed} == {(240, 320, 3)}


def test_nothing_to_read_is_said_before_the_first_picture(tmp_path):
    with pytest.raises(InputError, match="no pictures in this folder"):
        pictures(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        pictures(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("not a video")
    with pytest.raises(InputError, match=r"notes\.txt: neither a picture nor a video"):
        pictures(tmp_path / "notes.txt")
