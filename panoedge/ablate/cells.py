"""One cell after another: prune, recover, evaluate, write down; what is written down already is not done again."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from compress.data import Source
from compress.device import choose
from compress.distill import DistillSettings, distill
from compress.loop import Schedule
from compress.plan import Budget, OutOfReach
from compress.prune import PruneSettings, prune_checkpoint
from compress.train import TrainSettings, state_file, train
from compress.validate import validate
from panoedge.ablate.settings import METHODS, NONE, RECOVERIES, TEACHER, AblationSettings, Cell
from perception import checkpoint
from perception.cost import cost
from perception.data import open_dataset
from perception.errors import MALFORMED, InputError, brief
from perception.evaluation import headline
from perception.fields import count, duration
from perception.files import read_json, remove, sha256, write_json

_OF_PRUNING = ("rounds", "round_to", "calibration", "reestimation", "costs", "device")


@dataclass(frozen=True)
class Study:
    """An ablation in its folder.

    Each cell is ``cells/NAME.HASH.json`` and each pruned network ``networks/NAME.HASH.safetensors``, where the hash is
    of all that decides what is in it; so other settings in the same folder are other files, and methods that a kind of
    budget makes the same share one.

    Attributes:
        teacher: checkpoint that every cell starts from.
        data: training and validation frames.
        settings: what is compared.
        out: folder for everything.
    """

    teacher: Path
    data: Path
    settings: AblationSettings
    out: Path

    def result(self, cell: Cell) -> dict[str, Any]:
        """The record of a cell: from its file, or made now. A budget out of reach is a ``fault`` in it.

        Raises:
            InputError: for a teacher or data that cannot be used, or a file of another's.
        """
        recipe = self._recipe(cell) | {"frames": self.settings.frames}
        file = self._file("cells", cell, recipe, ".json")
        if file.exists():
            return known_record(file, cell)
        record: dict[str, Any] = {"cell": asdict(cell), "recipe": recipe}
        try:
            loaded = checkpoint.load(self.network(cell))
        except OutOfReach as fault:
            record["fault"] = str(fault)
        else:
            costs = cost(loaded.network)
            loaded.network.to(choose(self.settings.device).device)
            metrics = validate(loaded.network, open_dataset(self.data, "val"), frames=self.settings.frames)
            seconds = 0 if cell.method == TEACHER else loaded.history[-1]["seconds"]
            record |= {"params": costs.parameters, "macs": costs.macs, "metrics": metrics, "seconds": seconds}
        write_json(file, record)
        return record

    def network(self, cell: Cell) -> Path:
        """The checkpoint of a cell, made where there is none.

        Raises:
            InputError: for a teacher or data that cannot be used; OutOfReach where pruning cannot meet the budget.
        """
        if cell.method == TEACHER:
            return self.teacher
        path = self._file("networks", cell, self._recipe(cell), ".safetensors")
        if path.exists():
            # Killed right after it wrote that, a run left its state.
            remove(state_file(path))
            return path
        if cell.recovery == NONE:
            prune_checkpoint(self.teacher, [Source(self.data)], self._pruning(cell), path)
            return path
        pruned = self.network(replace(cell, recovery=NONE))
        if distillation := _distillation(cell):
            distill(pruned, self.teacher, self._training(cell), distillation, path, resume=True)
        else:
            train("", {}, self._training(cell), path, start=pruned, resume=True)
        return path

    def _pruning(self, cell: Cell) -> PruneSettings:
        common = {name: getattr(self.settings, name) for name in _OF_PRUNING}
        budget = Budget(self.settings.kind, cell.share)  # type: ignore[arg-type]
        return PruneSettings(budget, seed=cell.seed, **common, **METHODS[cell.method])

    def _training(self, cell: Cell) -> TrainSettings:
        schedule = Schedule(self.settings.epochs, self.settings.batch, self.settings.lr, seed=cell.seed)
        source = Source(self.data, labelled=RECOVERIES[cell.recovery][0])
        return TrainSettings([source], schedule, validate_every=0, device=self.settings.device, cache=True)

    def _recipe(self, cell: Cell) -> dict[str, Any]:
        """All that decides what the network of a cell is, but where it is computed."""
        recipe: dict[str, Any] = {"teacher": self._digest, "data": self._frames}
        if cell.method != TEACHER:
            recipe["pruning"] = {**self._pruning(cell).recipe(), "device": "auto", "costs": self._costs}
        if cell.recovery != NONE:
            distillation = _distillation(cell)
            recipe["recovery"] = {
                "labels": RECOVERIES[cell.recovery][0],
                "distillation": asdict(distillation) if distillation else None,
                **asdict(self._training(cell).schedule),
            }
        return recipe

    @cached_property
    def _digest(self) -> str:
        return sha256(self.teacher)

    @cached_property
    def _costs(self) -> str | None:
        return sha256(Path(self.settings.costs)) if self.settings.costs else None

    @cached_property
    def _frames(self) -> dict[str, Any]:
        counts = {split: len(open_dataset(self.data, split)) for split in ("train", "val")}
        return {"folder": self.data.resolve().name, **counts}

    def _file(self, folder: str, cell: Cell, recipe: dict[str, Any], suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        alike = sorted((self.out / folder).glob(f"*.{digest[:10]}{suffix}"))
        return alike[0] if alike else self.out / folder / f"{cell.name}.{digest[:10]}{suffix}"


def _distillation(cell: Cell) -> DistillSettings | None:
    """None where nothing is learned from the teacher."""
    _, changes = RECOVERIES[cell.recovery]
    return None if changes is None else DistillSettings(**changes)


def known_record(file: Path, cell: Cell) -> dict[str, Any]:
    """The record in ``file``, of ``cell`` or of a method that is the same, as that of ``cell``; raises
    :class:`InputError` where it is not what was written here."""
    record = read_json(file)
    try:
        method = record["cell"]["method"]
        record["cell"]["method"] = cell.method
        if method not in (*METHODS, TEACHER) or record["cell"] != asdict(cell):
            raise ValueError("of another cell")
        if "fault" in record:
            if not isinstance(record["fault"], str):
                raise ValueError("a fault without words")
            return record
        duration(record["seconds"])
        figures = headline(record["metrics"])
        if not figures or not all(0 <= duration(figure) <= 1 for figure in figures.values()):
            raise ValueError("no figures")
        if not all(count(record[kind]) for kind in ("params", "macs")):
            raise ValueError("no network")
    except MALFORMED as error:
        raise InputError(f"{file}: malformed ({brief(error)}); remove it, and the cell is run again") from None
    return record
