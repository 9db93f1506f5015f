"""Training steps whose numbers go wrong: noticed, named, left out, counted, and the end of the run when they pile up."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from perception.command import say
from perception.errors import InputError

IN_A_ROW = 20
_TOLD = 20


class Faults:
    """Counts the steps that are left out; raises :class:`InputError` at ``IN_A_ROW`` of them without a good one.

    Attributes:
        total: of the whole run, resumed parts included.
    """

    def __init__(self) -> None:
        self.total = 0
        self._in_a_row = 0

    def add(self, step: int, what: str, names: Sequence[str]) -> None:
        """Count a step that is left out; the first ones are told too."""
        self.total += 1
        self._in_a_row += 1
        line = f"step {step + 1} left out: {what}, frames {', '.join(names)}"
        if self._in_a_row >= IN_A_ROW:
            raise InputError(
                f"{IN_A_ROW} training steps in a row were not finite; lower --lr or use --precision fp32; last: {line}"
            )
        if self.total <= _TOLD:
            say(line)

    def end_row(self) -> None:
        """A step was good."""
        self._in_a_row = 0


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
    wrong = {name: float(value) for name, value in losses.items() if not torch.isfinite(value)}
    if wrong:
        return ", ".join(f"{name} loss {value}" for name, value in wrong.items())
    for name, parameter in module.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f"gradient of {name} not finite"
    return "gradients too large to add up"
