import numpy as np
import pytest
import torch

from perception.networks.base import DeployForm
from perception.networks.inference import inference
from perception.networks.yolop import YOLOP
from perception.tasks import TASKS, output_names


def test_inference_is_the_deploy_form():
    torch.manual_seed(0)
    network = YOLOP(width=0.25, size=(64, 96))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    outputs = inference(network)(pictures)
    assert not network.training
    with torch.no_grad():
        answers = DeployForm(network)(torch.from_numpy(pictures))
    for name, answer in zip(output_names(TASKS), answers, strict=True):
        assert np.array_equal(getattr(outputs, name), answer), name
    assert outputs.drivable.dtype == np.uint8
    assert outputs.lane_mean == pytest.approx(outputs.lane.mean((1, 2)) / 255, abs=1 / 255)


def test_masks_that_are_no_numbers_are_known_after_they_became_bytes():
    network = YOLOP(width=0.25, size=(64, 96))
    decode = network.decode

    def spoil(raw):
        decoded = decode(raw)
        decoded.lane[1, 3, 5] = torch.nan
        return decoded

    network.decode = spoil
    outputs = inference(network)(np.zeros((2, 64, 96, 3), np.uint8))
    assert outputs.lane.dtype == np.uint8
    assert np.isfinite(outputs.drivable_mean).tolist() == [True, True]
    assert np.isfinite(outputs.lane_mean).tolist() == [True, False]
