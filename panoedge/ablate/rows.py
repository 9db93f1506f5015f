"""What a finished ablation holds, as rows: one a cell, scores in per cent, costs as shares of the teacher's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from panoedge.ablate.settings import TEACHER, Cell
from perception.errors import InputError
from perception.evaluation import headline

# One figure a task; the worst of them is how far that task fell behind the teacher, in points.
TASK_SCORES = ("mAP50", "drivable_mIoU", "lane_IoU")
WORST = "worst task"
COSTS = ("params", "macs", "latency")


@dataclass(frozen=True)
class Row:
    """One cell.

    Attributes:
        cell: which.
        scores: per cent by name, and ``worst task``: the smallest of the tasks' differences to the teacher.
        costs: ``params``, ``macs`` and, where it was measured, ``latency``, as shares of the teacher's.
        seconds: that its pruning or its recovery took.
    """

    cell: Cell
    scores: dict[str, float]
    costs: dict[str, float]
    seconds: float = 0.0
    fault: str = field(default="", compare=False)


def rows(records: Sequence[Mapping[str, Any]], latency: Mapping[Cell, float]) -> list[Row]:
    """Rows of cell records, the teacher's first; cells with a fault have neither scores nor costs.

    Args:
        records: as ``Study.result`` gives them; the teacher's among them.
        latency: share of the teacher's, by cell.
    """
    teacher = next(record for record in records if record["cell"]["method"] == TEACHER)
    best = _scores(teacher)
    found = []
    for record in records:
        cell = Cell(**record["cell"])
        if "fault" in record:
            found.append(Row(cell, {}, {}, fault=record["fault"]))
            continue
        scores = _scores(record)
        if scores.keys() != best.keys():
            raise InputError(f"{cell.name}: was measured on other tasks than the teacher; remove its file in cells")
        behind = min(scores[name] - best[name] for name in TASK_SCORES if name in scores)
        costs = {kind: record[kind] / teacher[kind] for kind in ("params", "macs")}
        if cell.method == TEACHER:
            costs["latency"] = 1.0
        elif cell in latency:
            costs["latency"] = latency[cell]
        found.append(Row(cell, {**scores, WORST: behind}, costs, record["seconds"]))
    return found


def _scores(record: Mapping[str, Any]) -> dict[str, float]:
    return {name: 100 * value for name, value in headline(record["metrics"]).items()}
