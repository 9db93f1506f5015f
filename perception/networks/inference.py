"""A network in torch as a function from pictures to outputs, like an opened ONNX file."""

import numpy as np
import torch

from perception.evaluation import Infer
from perception.networks.base import DeployForm, Network
from perception.tasks import Outputs


def inference(network: Network) -> Infer:
    """The deploy form of ``network`` as a function of uint8 ``[N, H, W, 3]`` RGB pictures of ``network.spec.size``.

    It runs on the network's own device, and may leave the network in evaluation mode.
    """
    form = DeployForm(network).eval()
    device = next(network.parameters()).device

    @torch.inference_mode()
    def infer(images: np.ndarray) -> Outputs:
        return Outputs.of(
            network.spec.tasks, (part.cpu().numpy() for part in form(torch.from_numpy(images).to(device)))
        )

    return infer
