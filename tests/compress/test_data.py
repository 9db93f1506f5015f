import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from compress.augment import Augmentation, Frame
from compress.data import Frames, Source, Stream, collate, loader
from compress.order import Shuffled
from compress.processes import Share
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


TWENTY = (np.arange(20),)


def order(seed, epoch, groups=TWENTY, batch=3, start=0):
    sampler = Shuffled(groups, batch, seed)
    sampler.epoch, sampler.start = epoch, start
    return list(sampler)


def test_order_depends_on_seed_and_epoch_alone():
    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4) != order(1, 4)
    addresses = [address for batch in order(0, 0, batch=4) for address in batch]
    assert sorted(index for _, index in addresses) == list(range(20))
    assert len({seed for seed, _ in addresses}) == 1
    assert order(0, 0)[0][0] != order(0, 1)[0][0]


def test_an_epoch_can_be_entered_anywhere():
    whole = order(0, 3)
    assert len(whole) == len(Shuffled(TWENTY, 3, 0)) == 6
    assert [order(0, 3, start=start) for start in range(7)] == [whole[start:] for start in range(7)]


def test_batches_are_of_one_group_and_groups_are_mixed():
    groups = (np.arange(0, 12), np.arange(12, 20), np.arange(20, 22))
    batches = [[index for _, index in batch] for batch in order(0, 0, groups, batch=3)]
    kinds = [{next(k for k, group in enumerate(groups) if index in group) for index in batch} for batch in batches]
    assert len(batches) == len(Shuffled(groups, 3, 0)) == 4 + 2 + 1
    assert all(len(kind) == 1 for kind in kinds)
    assert kinds != sorted(kinds, key=min)
    assert sorted(len(batch) for batch in batches) == [2, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize(("batch", "repeats"), [(1, 1), (4, 1)])
def test_a_batch_of_one_is_refused(dataset, tmp_path, batch, repeats):
    source = Source(dataset if batch == 1 else one_frame(dataset, tmp_path), repeats)
    with pytest.raises(InputError, match="batch 1: batch norms need 2 images"):
        loader(Frames([source], "train", SPEC), batch, seed=0)


def one_frame(dataset, folder):
    """A data set with the first training frame of ``dataset``."""
    for file in dataset.glob("*/train/train-0.*"):
        target = folder / file.relative_to(dataset)
        target.parent.mkdir(parents=True)
        shutil.copy(file, target)
    return folder


def test_last_incomplete_batch_is_left_out_unless_alone(dataset):
    frames = Frames([Source(dataset)], "train", SPEC)
    assert [len(images) for images, _ in loader(frames, 4, seed=0)] == [4]
    assert [len(images) for images, _ in loader(frames, 8, seed=0)] == [6]


def test_batches_know_the_names_of_their_frames(dataset):
    batches = loader(Frames([Source(dataset)], "train", SPEC), 2, seed=0)
    seen = list(batches)
    assert sorted(name for _, targets in seen for name in targets.names) == [f"drawn/train-{k}" for k in range(6)]
    for images, targets in seen:
        for image, name in zip(images, targets.names, strict=True):
            picture = cv2.imread(str(dataset / f"images/train/{name.split('/')[1]}.jpg"))
            assert np.array_equal(image.numpy(), picture[..., ::-1])


@pytest.fixture
def spoilt(dataset, tmp_path):
    """A copy of the data set whose first two training pictures cannot be decoded, and the fourth has no lane mask."""
    copy = shutil.copytree(dataset, tmp_path / "spoilt")
    for number in (0, 1):
        (copy / f"images/train/train-{number}.jpg").write_bytes(b"nothing")
    (copy / "ll_seg_annotations/train/train-3.png").unlink()
    return copy


@pytest.mark.parametrize("workers", [0, 2])
def test_a_frame_that_cannot_be_read_is_one_line(spoilt, workers):
    (spoilt / "images/train/train-3.jpg").unlink()
    for folder, suffix in (("det_annotations", "json"), ("da_seg_annotations", "png")):
        (spoilt / folder / f"train/train-3.{suffix}").unlink()
    with pytest.raises(
        InputError, match=r"^\S*train-[01]\.jpg: cannot be decoded as a JPEG or PNG picture, copy the file again$"
    ):
        list(loader(Frames([Source(spoilt)], "train", SPEC), 5, seed=0, workers=workers))


def test_frames_that_lack_a_mask_stop_or_are_skipped(spoilt):
    with pytest.raises(InputError, match=r"train-3\.png: missing"):
        Frames([Source(spoilt)], "train", SPEC)
    assert len(Frames([Source(spoilt)], "train", SPEC, on_bad="skip")) == 5


@pytest.mark.parametrize(
    "error", [RuntimeError("DataLoader worker (pid 9) is killed"), ConnectionResetError(), EOFError()], ids=repr
)
def test_however_a_killed_reader_is_noticed_it_is_one_line(dataset, monkeypatch, error):
    def dying(self):
        raise error
        yield

    monkeypatch.setattr(DataLoader, "__iter__", dying)
    with pytest.raises(InputError, match=r"^a process that reads frames was killed"):
        list(loader(Frames([Source(dataset)], "train", SPEC), 2, seed=0))


def test_a_reader_that_is_killed_between_epochs_ends_the_next_in_one_line(dataset):
    batches = loader(Frames([Source(dataset)], "train", SPEC), 2, seed=0, workers=2)
    list(batches)
    for reader in multiprocessing.active_children():
        reader.kill()
        reader.join()
    with pytest.raises(InputError, match=r"^a process that reads frames was killed"):
        list(batches)


@pytest.mark.parametrize("workers", [0, 2])
def test_others_stand_in_for_frames_that_are_skipped(spoilt, workers):
    frames = Frames([Source(spoilt)], "train", SPEC, on_bad="skip")
    ((images, targets),) = loader(frames, 5, seed=0, workers=workers)
    assert len(images) == len(targets.lane) == 5
    assert frames.left_out == 3
    third = Frames([Source(spoilt)], "train", SPEC, on_bad="skip")[0, 2].image
    assert sum(np.array_equal(image.numpy(), third) for image in images) == 3
    assert [name.split("/")[1] for name in targets.names].count("train-2") == 3


def test_a_skipped_frame_is_told_once(spoilt, capsys):
    frames = Frames([Source(spoilt)], "train", SPEC, on_bad="skip")
    for _ in range(3):
        frames[0, 0], frames[0, 1]
    assert [line.split(": ")[1].split("/")[-1] for line in capsys.readouterr().err.splitlines()] == [
        "train-0.jpg",
        "train-1.jpg",
    ]


def test_nothing_to_stand_in(spoilt):
    for picture in (spoilt / "images/train").iterdir():
        picture.write_bytes(b"nothing")
    with pytest.raises(InputError, match="none of its 5 frames can be read"):
        Frames([Source(spoilt)], "train", SPEC, on_bad="skip")[0, 0]


@pytest.fixture
def no_lanes(dataset, tmp_path):
    """A copy of the data set without lane masks."""
    return shutil.copytree(dataset, tmp_path / "no-lanes", ignore=shutil.ignore_patterns("ll_seg_annotations"))


def test_a_data_set_may_lack_a_task_where_that_is_allowed(dataset, no_lanes, capsys):
    sources = [Source(dataset), Source(no_lanes)]
    with pytest.raises(InputError, match="missing: ll_seg_annotations"):
        Frames(sources, "train", SPEC)
    frames = Frames(sources, "train", SPEC, partial=True)
    assert "has no labels for lane; its frames teach detection, drivable only" in capsys.readouterr().err
    seen = {targets.tasks: bool(targets.lane.any()) for _, targets in loader(frames, 3, seed=0)}
    assert seen == {("detection", "drivable", "lane"): True, ("detection", "drivable"): False}
    assert len(Frames([Source(no_lanes)], "train", replace(SPEC, tasks=("detection",)))) == 6


def test_a_data_set_of_other_tasks_is_refused(no_lanes):
    with pytest.raises(InputError, match="labelled for detection, drivable, the network learns lane"):
        Frames([Source(no_lanes)], "train", replace(SPEC, tasks=("lane",)), partial=True)


def test_a_stream_goes_on_with_new_epochs_where_it_was(dataset):
    frames = Frames([Source(dataset)], "train", SPEC)
    stream, again = Stream(frames, 3, seed=0), Stream(frames, 3, seed=0)
    whole = [images for images, _ in stream.take(4)]
    parts = [images for count in (1, 3) for images, _ in again.take(count)]
    assert all(torch.equal(one, other) for one, other in zip(whole, parts, strict=True))
    assert not torch.equal(whole[0], whole[2])
    batches = loader(frames, 3, seed=0)
    assert all(torch.equal(one, images) for one, (images, _) in zip(whole, batches, strict=False))


def test_processes_read_the_parts_of_each_batch(dataset, monkeypatch):
    frames = Frames([Source(dataset)], "train", SPEC)
    (whole,) = loader(frames, 6, seed=0).order
    parts = []
    for rank in range(2):
        monkeypatch.setattr("compress.data.share", lambda rank=rank: Share(rank, 2))
        parts += loader(frames, 6, seed=0).order
    assert parts[0] == whole[::2] and parts[1] == whole[1::2]
    with pytest.raises(InputError, match="batch 5: must be a multiple of 2, the processes that share it"):
        loader(frames, 5, seed=0)
    with pytest.raises(InputError, match="batch 1: batch norms need 2 images"):
        loader(frames, 2, seed=0)


def test_processes_take_turns_at_the_batches_of_a_stream(dataset, monkeypatch):
    frames = Frames([Source(dataset)], "train", SPEC)
    whole = [images for images, _ in Stream(frames, 2, seed=0).take(5)]
    for rank in range(2):
        monkeypatch.setattr("compress.data.share", lambda rank=rank: Share(rank, 2))
        own = [images for images, _ in Stream(frames, 2, seed=0).take(5)]
        assert all(torch.equal(one, other) for one, other in zip(whole[rank::2], own, strict=True))


@pytest.mark.parametrize("split", ["train", "."])
def test_pictures_without_labels(dataset, tmp_path, split):
    folder = tmp_path / "images" / split
    shutil.copytree(dataset / "images/train", folder, dirs_exist_ok=True)
    frames = Frames([Source(tmp_path if split == "train" else folder, labelled=False)], "train", SPEC)
    labelled = Frames([Source(dataset)], "train", SPEC)
    assert frames.tasks == () and len(frames.groups) == 1
    assert [frames[0, index].name.split("/")[1] for index in range(6)] == [f"train-{k}" for k in range(6)]
    for index in range(6):
        assert np.array_equal(frames[0, index].image, labelled[0, index].image)
        assert not frames[0, index].lane.any() and not len(frames[0, index].boxes)


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
