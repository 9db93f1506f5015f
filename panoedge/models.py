"""Any network file as something that can be measured: a checkpoint in torch, an exported network in its runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perception.errors import InputError
from perception.files import sha256
from perception.spec import Deployed
from perception.tasks import Outputs
from runtime.backends import Model, Provider, open_backend

if TYPE_CHECKING:
    from perception.networks.base import Network

CHECKPOINT = ".safetensors"
EXPORTED = (".onnx", ".engine")


def open_model(path: Path, provider: Provider = "auto", threads: int = 0) -> Model:
    """Open a checkpoint or an exported network by its suffix.

    Args:
        path: ``.safetensors``, or what :func:`runtime.backends.open_backend` opens.
        provider: where to compute; a checkpoint runs on ``cpu`` or ``cuda``.
        threads: CPU threads of one operator; 0 leaves it to the library.

    Raises:
        InputError: the file is absent, damaged, of another kind, or cannot be run here.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == CHECKPOINT:
        return CheckpointModel(path, provider, threads)
    if path.suffix in EXPORTED:
        return open_backend(path, provider, threads)
    raise InputError(f"{path}: neither a checkpoint ({CHECKPOINT}) nor an exported network ({', '.join(EXPORTED)})")


class CheckpointModel:
    """A checkpoint as a :class:`runtime.backends.Model`.

    Attributes:
        network: rebuilt, on its device.
        history: what was done to it, one dictionary a stage, oldest first.
    """

    kind = "checkpoint"
    # Any number would do; this many keep a GPU busy and fit a small one.
    batch = 8

    def __init__(self, path: Path, provider: Provider = "auto", threads: int = 0):
        import torch

        from compress.device import choose
        from perception import checkpoint
        from perception.cost import cost
        from perception.networks.inference import inference

        if provider == "tensorrt":
            raise InputError(f"{path}: --provider tensorrt: a checkpoint runs on cpu or cuda; export it first")
        loaded = checkpoint.load(path)
        if threads:
            torch.set_num_threads(threads)
        self.path = path
        self.network: Network = loaded.network.to(choose(provider).device)
        self.history: list[dict[str, Any]] = loaded.history
        costs = cost(self.network)
        self.info = Deployed(self.network.name, self.network.spec, "fp32", costs.parameters, costs.macs, sha256(path))
        self._infer = inference(self.network)

    def infer(self, images: np.ndarray) -> Outputs:
        """Answer for uint8 ``[N, H, W, 3]``."""
        return self._infer(images)

    def close(self) -> None:
        """Nothing outlives the object."""

    def __enter__(self) -> "CheckpointModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
