"""Recorded answers: what is written comes back, and nothing else is taken for it."""

from types import SimpleNamespace

import numpy as np
import pytest

from perception.errors import InputError
from perception.tasks import Outputs, output_names
from runtime.answers import Answers, save_answers
from tests.runtime.conftest import SIZE, deployed

PICTURES = [np.full((*SIZE, 3), level, np.uint8) for level in (1, 2, 3)]


def infer(images):
    levels = images[:, 0, 0, 0].astype(np.float32)
    masks = np.tile(images[..., :1].squeeze(-1), 1)
    boxes = np.tile(levels[:, None, None], (1, 5, 4))
    return Outputs(boxes, boxes[..., 0] / 10, masks, masks + 1, levels / 255, levels / 254)


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.npz"
    save_answers(path, SimpleNamespace(info=deployed(), batch=2, infer=infer), PICTURES)
    return path


def test_what_is_written_comes_back_in_any_order(answers):
    with Answers(answers) as read:
        assert read.info == deployed() and np.array_equal(read.pictures, PICTURES)
        asked = read.pictures[[2, 0, 2]]
        for name in output_names(read.info.spec.tasks):
            found, expected = getattr(read.infer(asked), name), getattr(infer(asked), name)
            assert found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("pictures", np.zeros((3, 8, 8, 3), np.uint8)),
        ("pictures", np.zeros((0, *SIZE, 3), np.uint8)),
        ("lane", np.zeros((3, *SIZE), np.float32)),
        ("boxes", np.zeros((3, 5), np.float32)),
        ("scores", np.zeros((2, 5), np.float32)),
        ("drivable_mean", np.zeros(1, np.float32)),
        ("info", np.frombuffer(b"{}", np.uint8)),
        ("scores", np.array([{}], object)),
        ("lane", None),
    ],
)
def test_other_arrays_are_refused(answers, name, array):
    with np.load(answers) as archive:
        arrays = {**archive, name: array}
    np.savez(answers, **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(InputError, match=r"answers\.npz: no answers that panoedge verify --record wrote"):
        Answers(answers)


@pytest.mark.parametrize("change", [lambda data: data[:-200], lambda data: b"", lambda data: data[:90] + b"x" * 9000])
def test_a_damaged_file_is_refused(answers, change):
    answers.write_bytes(change(answers.read_bytes()))
    with pytest.raises(InputError, match="no answers"):
        Answers(answers)
