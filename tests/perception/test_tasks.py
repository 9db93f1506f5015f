import numpy as np
import pytest

from perception.tasks import DETECTION, DRIVABLE, LANE, TASKS, Outputs, output_names


def test_outputs_come_in_one_order():
    assert output_names(TASKS) == ("boxes", "scores", "drivable", "lane")
    assert output_names((LANE, DETECTION)) == ("boxes", "scores", "lane")
    assert output_names([DRIVABLE]) == ("drivable",)


def test_outputs_of_some_tasks():
    masks = np.zeros((2, 1, 4, 4), np.uint8)
    outputs = Outputs.of((DRIVABLE, LANE), masks)
    assert outputs.boxes is None and outputs.scores is None
    assert outputs.drivable is not None and outputs.lane is not None
    with pytest.raises(ValueError):
        Outputs.of(TASKS, masks)
