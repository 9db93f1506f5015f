"""Prune and distill in rounds: ``panoedge compress FILE --data DIR --budget params=0.4 --out FILE``."""

import glob
from dataclasses import replace
from functools import partial
from pathlib import Path

from compress.distill import DistillSettings, distill
from compress.plan import Budget
from compress.processes import by_first
from compress.prune import PruneSettings, prune_checkpoint
from compress.train import TrainSettings, state_file
from perception.errors import InputError
from perception.files import check_writable, remove, sweep


def compress(
    source: Path,
    pruning: PruneSettings,
    training: TrainSettings,
    distillation: DistillSettings,
    rounds: int,
    out: Path,
    resume: bool = False,
) -> None:
    """Reach the budget in ``rounds`` equal factors, each followed by distillation from ``source``.

    ``OUT.round-1.pruned`` and ``OUT.round-1`` (and so on) stay beside ``out``; ``resume`` goes on after the last.

    Raises:
        InputError: for files or data that cannot be used, or a budget out of reach.
    """
    if rounds < 1:
        raise InputError(f"rounds {rounds}: at least one is needed")
    check_writable(out)
    by_first(lambda: sweep(out.parent.glob(f".{glob.escape(out.stem)}.*.part")))
    kind, share = pruning.budget.kind, pruning.budget.share
    labelled = [data for data in training.sources if data.labelled]
    current = source
    for number in range(1, rounds + 1):
        pruned = out.with_name(f"{out.stem}.round-{number}.pruned.safetensors")
        done = out if number == rounds else out.with_name(f"{out.stem}.round-{number}.safetensors")
        if resume and done.exists():
            # Killed right after it wrote that, a run left its state.
            by_first(partial(remove, state_file(done)))
        else:
            if not (resume and pruned.exists()):
                # The share is of what this round starts with, so that all rounds together keep the whole budget's.
                part = replace(pruning, budget=Budget(kind, share ** (1 / rounds)))
                prune_checkpoint(current, labelled, part, pruned, training.on_bad, measured=source)
            distill(pruned, source, training, distillation, done, resume)
        current = done
