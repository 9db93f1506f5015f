"""Prune and distill in rounds: ``panoedge compress FILE --data DIR --budget params=0.4 --out FILE``."""

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from compress.distill import DistillSettings, distill
from compress.plan import Budget
from compress.processes import by_first
from compress.prune import PruneSettings, prune_checkpoint
from compress.train import TrainSettings, state_file
from perception import checkpoint
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
        InputError: for files or data that cannot be used, a budget out of reach, or files of another run to resume.
    """
    if rounds < 1:
        raise InputError(f"rounds {rounds}: at least one is needed")
    check_writable(out)
    by_first(lambda: sweep(out.parent.glob(f".{glob.escape(out.stem)}.*.part")))
    kind, share = pruning.budget.kind, pruning.budget.share
    labelled = [data for data in training.sources if data.labelled]
    current, history, left = source, checkpoint.load(source).history, 1.0
    teaching = {"stage": "distill", **training.record(), **distillation.recipe(source)}
    for number in range(1, rounds + 1):
        pruned = out.with_name(f"{out.stem}.round-{number}.pruned.safetensors")
        done = out if number == rounds else out.with_name(f"{out.stem}.round-{number}.safetensors")
        # A share of what this round starts with, so that what one round missed is not missed by all together.
        part = replace(pruning, budget=Budget(kind, share ** (number / rounds) / left))
        removal = {"stage": "prune", **part.recipe(), "data": [str(data) for data in labelled]}
        if resume and done.exists():
            # Killed right after it wrote that, a run left its state.
            by_first(partial(remove, state_file(done)))
        else:
            if resume and pruned.exists():
                _made(pruned, [*history, removal])
            else:
                prune_checkpoint(current, labelled, part, pruned, training.on_bad, measured=source)
            distill(pruned, source, training, distillation, done, resume)
        history = _made(done, [*history, removal, teaching])
        left *= history[-2]["kept"][kind]
        current = done


def _made(path: Path, wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The history in ``path``; raises :class:`InputError` where its stages had other settings than ``wanted``."""
    history = checkpoint.load(path).history
    cure = "repeat those or drop --resume"
    if len(history) != len(wanted):
        raise InputError(f"{path}: went through {len(history)} stages, not {len(wanted)}: it is of another run; {cure}")
    for stage, settings in zip(history, wanted, strict=True):
        # A setting that a recipe leaves out where it is not used; wherever it is computed, it is the same.
        plain, known = ({"keep": [], **each, "device": None} for each in (json.loads(json.dumps(settings)), stage))
        if changed := [key for key in plain if known.get(key) != plain[key]]:
            raise InputError(f"{path}: was made with another {', '.join(changed)}; {cure}")
    return history
