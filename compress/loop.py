"""The training loop that `train` and `distill` share: schedule, mixed precision, averaged weights, log and resume."""

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress.data import Loader
from compress.device import Compute
from compress.faults import Statistics, not_finite
from compress.processes import any_of, averaging, collected, share, summed
from compress.state import load_state, save_state
from perception import stop
from perception.errors import InputError, require
from perception.faults import Faults
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
        require(self.seed >= 0, "seed", self.seed, "at least 0")

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
    """Trains ``network``, keeps the average of its weights, and can be interrupted and resumed between any two steps.

    A resumed run ends with the same weights as one that was never interrupted: order, augmentation and whatever is
    drawn at random within a step depend on the seed and the step alone, and all else is in the state file.

    Several processes share each batch, take the same steps and end them together; the first one writes the state.

    Args:
        network: what is kept; trained in place.
        loss: see :data:`Loss`; it runs ``network`` itself.
        batches: labelled batches.
        schedule: how long and how fast.
        compute: device and precision.
        extra: further modules to train, thrown away afterwards.
        state: file the loop writes after every epoch, and when it is interrupted; none when absent.
        log: called with a tag, a value and the step.
        recipe: what else decides which weights the run ends with, as JSON takes it.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        batches: Loader,
        schedule: Schedule,
        compute: Compute,
        extra: nn.Module | None = None,
        state: Path | None = None,
        log: Callable[[str, float, int], None] | None = None,
        recipe: Mapping[str, Any] | None = None,
    ):
        self.network = network
        self._trained = nn.ModuleDict({"network": network, "extra": extra or nn.Identity()})
        self._trained.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._loss = averaging(self._trained, loss)
        self._batches = batches
        self.schedule = schedule
        self._compute = compute
        self._state = state
        self._log = log or (lambda tag, value, step: None)
        self._steps = schedule.epochs * len(batches)
        self._recipe = json.loads(json.dumps(recipe or {}))
        self._optimizer = torch.optim.AdamW(_decay_groups(self._trained, schedule.weight_decay), lr=schedule.lr)
        self._scaler = torch.amp.GradScaler(enabled=compute.dtype == torch.float16)
        self._statistics = Statistics(self._trained)
        self.average = Average(network, schedule.ema)
        self.faults = Faults("lower --lr or use --precision fp32")
        # Whoever validates puts its scores here, so that a resumed run has those of before.
        self.curve: list[dict[str, float]] = []
        self._begun, self._earlier = time.monotonic(), 0.0
        self.epoch = 0
        # Of the epoch that is being trained.
        self._batches_done = 0

    def resume(self) -> bool:
        """Continue from the state file if there is one; raises InputError where it belongs to another run."""
        there = self._state is not None and self._state.exists()
        if any_of(there) and any_of(not there):
            raise InputError(f"{self._state}: not there for all processes; hosts must share its folder to resume")
        if self._state is None or not there:
            return False
        header = load_state(self._state, self._trained, self.average.module, self._optimizer, *self._settings())
        self._scaler.load_state_dict(header["scaler"])
        self.epoch = header["epoch"]
        self._batches_done = header["batches_done"]
        self.faults.total = header["left_out"]
        self.curve, self._earlier = header["validation"], header["seconds"]
        return True

    def run(self, after_epoch: Callable[[int], Any] | None = None) -> Network:
        """Train the remaining epochs and return the averaged network; ``after_epoch`` gets the number done.

        Raises:
            InputError: the losses of many steps in a row were not finite, the state file cannot be written, or a
                process that reads was killed; the state of the last epoch is then on disk.
            KeyboardInterrupt: on SIGINT or SIGTERM, with the state written.
        """
        with Progress("training", self._steps) as progress:
            progress.step(self._step)
            while self.epoch < self.schedule.epochs:
                with stop.held() as stopping:
                    stopped = self._train(progress, stopping)
                    if self._batches_done == len(self._batches):
                        self.epoch, self._batches_done = self.epoch + 1, 0
                    self._save()
                if stopped:  # by a signal to another process
                    raise stop.Terminated
                if after_epoch:
                    after_epoch(self.epoch)
        return self.average.module

    @property
    def seconds(self) -> float:
        """That the run took so far, before it was resumed too."""
        return self._earlier + time.monotonic() - self._begun

    @property
    def _step(self) -> int:
        return self.epoch * len(self._batches) + self._batches_done

    def _save(self) -> None:
        if self._state and share().first:
            settings, recipe = self._settings()
            header = {
                "epoch": self.epoch,
                "batches_done": self._batches_done,
                "left_out": self.faults.total,
                "seconds": self.seconds,
                "validation": self.curve,
                "scaler": self._scaler.state_dict(),
                "settings": settings,
                "recipe": recipe,
            }
            save_state(self._state, self._trained, self.average.module, self._optimizer, header)

    def _settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a state must agree with to be resumed."""
        return {**asdict(self.schedule), "steps": self._steps}, self._recipe

    def _train(self, progress: Progress, stopping: Callable[[], bool]) -> bool:
        """Go on to the end of the epoch, or until a process is asked to stop; tells whether one was."""
        self._batches.order.epoch, self._batches.order.start = self.epoch, self._batches_done
        self._trained.train()
        for images, targets in self._batches:
            step = self._step
            losses = self._one_step(images, targets, step)
            self._batches_done += 1
            progress.step(note=f"epoch {self.epoch + 1}, loss {sum(losses.values()):.3f}")
            if step % 20 == 0:
                for name, value in losses.items():
                    self._log(f"loss/{name}", value, step)
                self._log("lr", self._optimizer.param_groups[0]["lr"], step)
            if any_of(stopping()):
                return True
        return False

    def _one_step(self, images: Tensor, targets: Targets, step: int) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.lr * self.schedule.factor(step, self._steps)
        # NumPy pads with zeros: the first process draws what one alone would.
        rng = np.random.default_rng((self.schedule.seed, step, share().rank))
        torch.manual_seed(int(rng.integers(1 << 62)))
        self._statistics.keep()
        images = images.to(self._compute.device, non_blocking=True)
        losses = self._loss(images, targets.to(self._compute.device))
        values = torch.stack(list(losses.values()))
        self._scaler.scale(values.sum()).backward()
        # Of all processes, so that all leave out the step that is bad in one.
        values = summed(values.detach()) / share().count
        losses, total = dict(zip(losses, values, strict=True)), values.sum()
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._trained.parameters(), self.schedule.clip)
        # One bad batch must not end a long run.
        if torch.isfinite(total + norm):
            self._scaler.step(self._optimizer)
            self.average.update(self.network, step)
            self.faults.end_row()
        else:
            self._statistics.put_back()
            # In FP16 gradients overflow until the scaler has found its scale.
            if self._scaler.get_scale() <= 1 or not torch.isfinite(total):
                self._tell_left_out(losses, step, targets.names)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return {name: float(value) for name, value in losses.items()}

    def _tell_left_out(self, losses: dict[str, Tensor], step: int, names: tuple[str, ...]) -> None:
        frames = ", ".join(collected(names))
        self.faults.add(f"step {step + 1} left out: {not_finite(losses, self._trained)}, frames {frames}")


def _decay_groups(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    rest = [p for p in module.parameters() if p.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]
