"""The training loop that `train` and `distill` share: schedule, mixed precision, averaged weights, log and resume."""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from compress.device import Compute
from compress.state import load_state, save_state
from perception.errors import require
from perception.networks.base import Network, Targets
from perception.progress import Progress

# Images (uint8, on the device) and targets to named losses; their sum is minimised.
Loss = Callable[[Tensor, Targets], dict[str, Tensor]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast weights move.

    Attributes:
        epochs: passes over the data.
        batch: images a step.
        lr: peak learning rate of AdamW; rises over the warm-up, then falls along a cosine to ``final_lr`` of it.
        warmup: share of all steps.
        weight_decay: on weights of two dimensions and more.
        clip: largest gradient norm.
        ema: decay of the averaged weights, approached from 0 over the first steps.
        seed: of order, augmentation and initial weights.
    """

    epochs: int = 50
    batch: int = 16
    lr: float = 2e-3
    final_lr: float = 0.02
    warmup: float = 0.03
    weight_decay: float = 0.02
    clip: float = 10.0
    ema: float = 0.999
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for numbers that make no schedule."""
        require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(0 < self.lr < math.inf, "learning rate", self.lr, "must be above 0")

    def factor(self, step: int, steps: int) -> float:
        """Learning rate at ``step`` of ``steps``, relative to the peak."""
        rise = max(1, round(self.warmup * steps))
        if step < rise:
            return (step + 1) / rise
        done = (step - rise) / max(1, steps - rise)
        return self.final_lr + (1 - self.final_lr) * 0.5 * (1 + math.cos(math.pi * done))


class Average:
    """Exponential moving average of a module's weights and statistics."""

    def __init__(self, module: Network, decay: float):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards ``module``; the first steps count more, since the start is not worth remembering."""
        decay = min(self._decay, (1 + step) / (10 + step))
        pairs = zip(self.module.state_dict().values(), module.state_dict().values(), strict=True)
        floats = [(old, new) for old, new in pairs if old.is_floating_point()]
        torch._foreach_lerp_([old for old, _ in floats], [new for _, new in floats], 1 - decay)


class Loop:
    """Trains ``module`` and keeps the average of ``network`` within it.

    Args:
        network: what is kept; trained in place.
        loss: see :data:`Loss`; it runs ``network`` itself.
        batches: labelled batches with a ``Shuffled`` sampler.
        schedule: how long and how fast.
        compute: device and precision.
        extra: further modules to train, thrown away afterwards.
        state: file the loop writes after every epoch, so that it can be resumed; none when absent.
        log: called with a tag, a value and the step.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        batches: DataLoader,
        schedule: Schedule,
        compute: Compute,
        extra: nn.Module | None = None,
        state: Path | None = None,
        log: Callable[[str, float, int], None] | None = None,
    ):
        self.network = network
        self._trained = nn.ModuleDict({"network": network, "extra": extra or nn.Identity()})
        self._trained.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._loss = loss
        self._batches = batches
        self.schedule = schedule
        self._compute = compute
        self._state = state
        self._log = log or (lambda tag, value, step: None)
        self._steps = schedule.epochs * len(batches)
        self._optimizer = torch.optim.AdamW(_decay_groups(self._trained, schedule.weight_decay), lr=schedule.lr)
        self._scaler = torch.amp.GradScaler(enabled=compute.dtype == torch.float16)
        self.average = Average(network, schedule.ema)
        self.epoch = 0

    def resume(self) -> bool:
        """Continue from the state file if there is one; raises InputError where it belongs to another run."""
        if self._state is None or not self._state.exists():
            return False
        header = load_state(self._state, self._trained, self.average.module, self._optimizer, self._settings())
        self._scaler.load_state_dict(header["scaler"])
        self.epoch = header["epoch"]
        return True

    def run(self, after_epoch: Callable[[int], Any] | None = None) -> Network:
        """Train the remaining epochs and return the averaged network; ``after_epoch`` gets the number done."""
        with Progress("training", self._steps) as progress:
            progress.step(self.epoch * len(self._batches))
            while self.epoch < self.schedule.epochs:
                self._one_epoch(progress)
                self.epoch += 1
                if self._state:
                    scaler = self._scaler.state_dict()
                    header = {"epoch": self.epoch, "scaler": scaler, "settings": self._settings()}
                    save_state(self._state, self._trained, self.average.module, self._optimizer, header)
                if after_epoch:
                    after_epoch(self.epoch)
        return self.average.module

    def _settings(self) -> dict[str, Any]:
        return {**asdict(self.schedule), "steps": self._steps}

    def _one_epoch(self, progress: Progress) -> None:
        self._batches.sampler.epoch = self.epoch  # type: ignore[attr-defined]
        self._trained.train()
        for number, (images, targets) in enumerate(self._batches):
            step = self.epoch * len(self._batches) + number
            losses = self._one_step(images, targets, step)
            progress.step(note=f"epoch {self.epoch + 1}, loss {sum(losses.values()):.3f}")
            if step % 20 == 0:
                for name, value in losses.items():
                    self._log(f"loss/{name}", value, step)
                self._log("lr", self._optimizer.param_groups[0]["lr"], step)

    def _one_step(self, images: Tensor, targets: Targets, step: int) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.lr * self.schedule.factor(step, self._steps)
        images = images.to(self._compute.device, non_blocking=True)
        losses = self._loss(images, targets.to(self._compute.device))
        total = torch.stack(list(losses.values())).sum()
        self._scaler.scale(total).backward()
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._trained.parameters(), self.schedule.clip)
        # One bad batch must not end a long run; the scaler does this by itself in FP16.
        if torch.isfinite(norm) or self._scaler.is_enabled():
            self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        self.average.update(self.network, step)
        return {name: float(value.detach()) for name, value in losses.items()}


def _decay_groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    rest = [p for p in module.parameters() if p.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
