"""The state of an interrupted training run in one ``.safetensors`` file: no pickle, so nothing in it can run."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from perception.checkpoint import write_tensors
from perception.errors import MALFORMED, InputError
from perception.fields import count, duration

_KEY = "panoedge-training"


def save_state(
    path: Path, trained: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, header: dict[str, Any]
) -> None:
    """Write weights, averaged weights, the optimizer's moments and a JSON ``header``, whole."""
    tensors = {f"trained/{key}": value for key, value in trained.state_dict().items()}
    tensors |= {f"average/{key}": value for key, value in average.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": value for name, value in moments.items()}
    write_tensors(path, tensors, {_KEY: json.dumps(header)})


def load_state(
    path: Path,
    trained: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: dict[str, Any],
    recipe: dict[str, Any],
) -> dict[str, Any]:
    """Put back what :func:`save_state` wrote and return its header.

    Raises:
        InputError: for a damaged file, or one written with other ``settings``, another ``recipe`` or for another
            network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            # Version 0.1 wrote no recipe, and whole epochs only.
            begun, _ = {**header["settings"], **header.get("recipe", recipe)}, dict(header["scaler"])
            header |= {key: count(header.get(key, 0)) for key in ("batches_done", "left_out")}
            header["seconds"] = duration(header.get("seconds", 0))
            header["validation"] = [dict(scores) for scores in header.get("validation", ())]
            count(header["epoch"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        wanted = {**settings, **recipe}
        if begun != wanted:
            changed = [key for key in {**wanted, **begun} if begun.get(key) != wanted.get(key)]
            raise InputError(f"{path}: was started with another {', '.join(changed)}; repeat those or drop --resume")
        trained.load_state_dict(_part(tensors, "trained/"))
        average.load_state_dict(_part(tensors, "average/"))
        state: dict[int, dict[str, Any]] = {}
        for key, value in _part(tensors, "optimizer/").items():
            number, name = key.split("/")
            state.setdefault(int(number), {})[name] = value
        _check_moments(state, optimizer)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    except (*MALFORMED, SafetensorError, RuntimeError, OSError) as error:
        raise InputError(f"{path}: cannot be resumed ({' '.join(str(error).split())[:200]})") from None
    return header


def _check_moments(state: dict[int, dict[str, Any]], optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError unless the moments are those of AdamW for these weights: it would find out in the first step."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, moments in state.items():
        # Those of a weight that never took part in a loss are absent.
        shape = weights[number].shape
        expected = {"step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape}
        if {name: value.shape for name, value in moments.items()} != expected:
            raise ValueError(f"moments of another optimizer for weight {number}")


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
