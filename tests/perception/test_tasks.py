import numpy as np
import pytest

from perception.tasks import DETECTION, DRIVABLE, LANE, TASKS, Outputs, output_names


def test_outputs_come_in_one_order():
    assert output_names(TASKS) == ("boxes", "scores", "drivable", "drivable_mean", "lane", "lane_mean")
    assert output_names((LANE, DETECTION)) == ("boxes", "scores", "lane", "lane_mean")
    assert output_names([DRIVABLE]) == ("drivable", "drivable_mean")


def test_outputs_of_some_tasks():
    mask, mean = np.zeros((1, 4, 4), np.uint8), np.zeros(1, np.float32)
    outputs = Outputs.of((DRIVABLE, LANE), (mask, mean, mask.copy(), mean.copy()))
    assert outputs.boxes is None and outputs.scores is None
    assert outputs.drivable is mask and outputs.drivable_mean is mean
    with pytest.raises(ValueError):
        Outputs.of(TASKS, (mask, mean))
