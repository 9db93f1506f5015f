import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.augment import Augmentation, Frame
from compress.data import Frames, Shuffled, Source, collate, endless, loader
from perception.errors import InputError
from perception.spec import InputSpec

SPEC = InputSpec((64, 96))
PARTS = ("image", "boxes", "drivable", "lane")


def equal(a, b):
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in PARTS)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("scenes", Source(Path("scenes"))),
        ("scenes:3", Source(Path("scenes"), 3)),
        ("a:b/scenes", Source(Path("a:b/scenes"))),
        ("a:b/scenes:2", Source(Path("a:b/scenes"), 2)),
        ("scenes:", Source(Path("scenes:"))),
    ],
)
def test_parse(text, source):
    assert Source.parse(text) == source


def test_parse_prefers_a_folder_that_exists(tmp_path):
    folder = tmp_path / "scenes:2"
    folder.mkdir()
    assert Source.parse(str(folder)) == Source(folder)


def test_parse_refuses_zero_repeats():
    with pytest.raises(InputError, match="scenes:0"):
        Source.parse("scenes:0")


def test_repeats_and_mixing(dataset):
    once = Frames([Source(dataset)], "train", SPEC)
    mixed = Frames([Source(dataset, 2), Source(dataset)], "train", SPEC)
    assert (len(once), len(mixed)) == (6, 18)
    for index in range(18):
        assert equal(mixed[0, index], once[0, index % 6])


def test_frames_are_placed_at_input_size(dataset):
    frame = Frames([Source(dataset)], "train", InputSpec((64, 128)))[0, 0]
    native = Frames([Source(dataset)], "train", SPEC)[0, 0]
    assert frame.image.shape == (64, 128, 3) and frame.lane.shape == (64, 128)
    assert np.allclose(frame.boxes, native.boxes + np.float32([16, 0, 16, 0]))


def test_cache_equals_no_cache(dataset):
    plain, cached = (Frames([Source(dataset, 2)], "train", SPEC, Augmentation(), cache) for cache in (False, True))
    assert all(equal(plain[7, index], cached[7, index]) for index in range(len(plain)))


def test_augmentation_follows_the_seed_and_the_index(dataset):
    frames = Frames([Source(dataset, 2)], "train", SPEC, Augmentation())
    assert equal(frames[1, 0], frames[1, 0])
    assert not equal(frames[1, 0], frames[2, 0])
    assert not equal(frames[1, 0], frames[1, 6])


def test_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = Shuffled(20, seed)
        sampler.epoch = epoch
        return list(sampler)

    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4) != order(1, 4)
    assert sorted(index for _, index in order(0, 0)) == list(range(20))
    assert len({seed for seed, _ in order(0, 0)}) == 1
    assert order(0, 0)[0][0] != order(0, 1)[0][0]


def test_last_incomplete_batch_is_left_out_unless_alone(dataset):
    frames = Frames([Source(dataset)], "train", SPEC)
    assert [len(images) for images, _ in loader(frames, 4, seed=0)] == [4]
    assert [len(images) for images, _ in loader(frames, 8, seed=0)] == [6]


def test_endless_goes_on_with_new_epochs(dataset):
    batches = loader(Frames([Source(dataset)], "train", SPEC), 3, seed=0)
    firsts = [images for images, _ in itertools.islice(endless(batches), 4)]
    assert not torch.equal(firsts[0], firsts[2])


def test_collate_numbers_the_boxes_of_each_picture():
    frames = [
        Frame(np.full((4, 6, 3), k, np.uint8), np.full((count, 4), k, np.float32), *(np.full((4, 6), k, np.uint8),) * 2)
        for k, count in enumerate((2, 0, 1))
    ]
    images, targets = collate(frames)
    assert images.shape == (3, 4, 6, 3) and images.dtype == torch.uint8
    assert targets.boxes.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [2, 2, 2, 2, 2]]
    assert targets.drivable.shape == targets.lane.shape == (3, 4, 6)
    assert targets.lane[:, 0, 0].tolist() == [0, 1, 2]


def test_missing_split_is_an_input_error(dataset):
    with pytest.raises(InputError, match="test"):
        Frames([Source(dataset)], "test", SPEC)
