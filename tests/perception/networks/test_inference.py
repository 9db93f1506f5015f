import numpy as np
import torch

from perception.networks.base import DeployForm
from perception.networks.inference import inference
from perception.networks.yolop import YOLOP


def test_inference_is_the_deploy_form():
    torch.manual_seed(0)
    network = YOLOP(width=0.25, size=(64, 96))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    outputs = inference(network)(pictures)
    assert not network.training
    with torch.no_grad():
        boxes, scores, drivable, lane = DeployForm(network)(torch.from_numpy(pictures))
    assert np.array_equal(outputs.boxes, boxes) and np.array_equal(outputs.scores, scores)
    assert np.array_equal(outputs.drivable, drivable) and np.array_equal(outputs.lane, lane)
    assert outputs.drivable.dtype == np.uint8


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
    assert {task: list(spoiled) for task, spoiled in outputs.spoiled.items()} == {
        "drivable": [False, False],
        "lane": [False, True],
    }
