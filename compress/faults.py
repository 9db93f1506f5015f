"""What a training step leaves behind when its numbers are not finite: how to undo it, and how to name it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Statistics:
    """What a module keeps beside its weights, batch norms' averages above all, from before a step.

    The forward pass writes them before anybody can know that its numbers are wrong.
    """

    def __init__(self, module: nn.Module):
        self._now = list(module.buffers())
        self._before = [buffer.clone() for buffer in self._now]

    def keep(self) -> None:
        """Remember them as they are."""
        _copy(self._now, self._before)

    def put_back(self) -> None:
        """Make them again what they were."""
        _copy(self._before, self._now)


@torch.no_grad()
def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    if source:
        torch._foreach_copy_(target, source)


def not_finite(losses: Mapping[str, Tensor], module: nn.Module) -> str:
    """Which losses are not finite, or else which gradient is the first, in words."""
    wrong = [f"{name} loss {value.item()}" for name, value in losses.items() if not torch.isfinite(value)]
    if wrong:
        return ", ".join(wrong)
    for name, parameter in module.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"gradient of {name} not finite"
    return "gradients too large to add up"
