import threading
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from perception.errors import InputError
from runtime import pipeline
from runtime.backends import open_backend
from runtime.pipeline import Frame, Perceiver


def picture(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


@pytest.fixture
def perceiver(network):
    with open_backend(network, "cpu") as backend:
        yield Perceiver(backend)


def test_one_frame(perceiver):
    # 128x192 is twice the network's 64x96: boxes come back twice as large, the overlapping one suppressed.
    seen = perceiver(Frame("0", np.full((128, 192, 3), 200, np.uint8))).prediction
    np.testing.assert_allclose(seen.boxes, [[20, 20, 80, 100], [120, 40, 180, 120]], atol=1e-3)
    np.testing.assert_allclose(seen.scores, [0.9, 0.6])
    assert (seen.drivable == 200).all()
    assert (seen.lane == 55).all()


def test_letterbox_padding_is_clean_after_other_sizes(perceiver):
    wide, tall = picture((40, 120)), picture((120, 40))
    for image in (wide, tall, wide, tall, wide, wide):
        images, placed = perceiver.pre(image)
        np.testing.assert_array_equal(images[0], placed.image(image))


def test_the_buffer_is_written_again(perceiver):
    assert len({perceiver.pre(picture((64, 96), seed))[0].ctypes.data for seed in range(20)}) == 1


def test_stream_sees_what_single_frames_show(perceiver):
    sizes = [(64, 96), (64, 96), (100, 100), (30, 200)]
    frames = [Frame(str(index), picture(sizes[index % 4], index)) for index in range(40)]
    results = list(perceiver.stream(frames))
    assert [seen.frame.name for seen in results] == [frame.name for frame in frames]
    for seen in results:
        alone = perceiver(seen.frame).prediction
        np.testing.assert_array_equal(seen.prediction.drivable, alone.drivable)
        np.testing.assert_array_equal(seen.prediction.boxes, alone.boxes)
        assert seen.fit.native == seen.frame.image.shape[:2]


@pytest.mark.parametrize("drop", [None, lambda frame: None])
def test_a_stream_makes_its_buffers_once(perceiver, monkeypatch, drop):
    made = []

    class Counted(pipeline._Buffer):
        def __init__(self, spec):
            super().__init__(spec)
            made.append(self)

    monkeypatch.setattr(pipeline, "_Buffer", Counted)
    frames = [Frame(str(index), picture((64, 96), index)) for index in range(40)]
    assert list(perceiver.stream(frames, drop))
    # One that is written, one that is read, and two that wait.
    assert len(made) == 4


def test_all_four_stages_are_at_work_at_once(perceiver, monkeypatch):
    # Whoever comes first waits for the others: one stage after the other, they would never meet.
    meeting, rounds = threading.Barrier(4), 6

    def meets(call, ahead):
        numbers = count()

        def met(*arguments):
            if ahead <= next(numbers) < ahead + rounds:
                meeting.wait(timeout=10)
            return call(*arguments)

        return met

    read = meets(lambda number: Frame(str(number), picture((64, 96), number)), 3)
    monkeypatch.setattr(pipeline, "fit", meets(pipeline.fit, 2))
    monkeypatch.setattr(perceiver.backend, "submit", meets(perceiver.backend.submit, 1))
    monkeypatch.setattr(pipeline, "postprocess", meets(pipeline.postprocess, 0))
    names = [seen.frame.name for seen in perceiver.stream(map(read, range(rounds + 3)))]
    assert names == [str(number) for number in range(rounds + 3)]


def test_the_newest_frame_counts_where_frames_may_be_dropped(perceiver):
    frames = [Frame(str(index), picture((64, 96), index)) for index in range(60)]
    dropped = []
    results = list(perceiver.stream(frames, dropped.append))
    names = [seen.frame.name for seen in results]
    assert sorted([*names, *(frame.name for frame in dropped)], key=int) == [frame.name for frame in frames]
    assert names == sorted(names, key=int)
    assert names[-1] == "59"
    for seen in results:
        np.testing.assert_array_equal(seen.prediction.drivable, perceiver(seen.frame).prediction.drivable)


def test_networks_of_larger_batch_are_refused(export_onnx, tmp_path):
    with (
        open_backend(export_onnx(tmp_path / "two.onnx", batch=2), "cpu") as backend,
        pytest.raises(InputError, match="takes 2 pictures at a time"),
    ):
        Perceiver(backend)


@pytest.fixture
def spoil(perceiver, monkeypatch):
    """Lets the lane mask be no number for every n-th frame of a stream."""

    def every(n):
        infer, numbers = perceiver.backend.infer, count(1)

        def submit(images):
            outputs = infer(images)
            spoiled = replace(outputs, lane_mean=np.float32([np.nan]))
            chosen = outputs if next(numbers) % n else spoiled
            return lambda: chosen

        monkeypatch.setattr(perceiver.backend, "submit", submit)
        return perceiver.stream(Frame(f"frame{index}", picture((64, 96), index)) for index in range(50))

    return every


def test_outputs_that_are_not_finite_are_told_by_frame_and_task(spoil, perceiver, capsys):
    assert [seen.prediction.spoiled for seen in spoil(2)] == [(), ("lane",)] * 25
    assert perceiver.faults.total == 25
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "frame1: the network's outputs are not all finite: lane"
    assert len(lines) == 20


def test_a_network_that_gives_no_numbers_is_given_up(spoil):
    with pytest.raises(InputError, match=r"^frame19: .*: lane; 20 in a row, train or export the network anew"):
        list(spoil(1))
