"""A network in torch as a function from pictures to outputs, like an opened ONNX file."""

from dataclasses import replace

import numpy as np
import torch

from perception.evaluation import Infer
from perception.networks.base import DeployForm, Network
from perception.tasks import MASK_TASKS, Outputs


def inference(network: Network) -> Infer:
    """The deploy form of ``network`` as a function of uint8 ``[N, H, W, 3]`` RGB pictures of ``network.spec.size``.

    It runs on the network's own device, and leaves the network in evaluation mode.
    """
    form = DeployForm(network).eval()
    device = next(network.parameters()).device

    @torch.inference_mode()
    def infer(images: np.ndarray) -> Outputs:
        decoded = form.decoded(torch.from_numpy(images).to(device))
        masks = {task: decoded[task] for task in MASK_TASKS if task in decoded}
        spoiled = {task: (~mask.isfinite()).flatten(1).any(1).cpu().numpy() for task, mask in masks.items()}
        outputs = Outputs.of(network.spec.tasks, (part.cpu().numpy() for part in form.answer(decoded)))
        return replace(outputs, spoiled=spoiled)

    return infer
