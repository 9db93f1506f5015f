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
