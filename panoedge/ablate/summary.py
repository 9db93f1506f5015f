"""The outcome of an ablation as files: ``cells.csv``, ``paired.csv``, ``summary.md`` and plots."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from panoedge.ablate import tables
from panoedge.ablate.rows import COSTS, TASK_SCORES, WORST, Row
from panoedge.ablate.settings import OURS, TEACHER
from panoedge.ablate.statistics import curve
from panoedge.charts import Panel, line_chart
from perception.files import write_text

# Points behind the teacher below which a line leaves its panel: what is lost is lost.
_DEEPEST = 30.0
_HOW = (
    f"Scores are per cent by the protocol `rmt-ppad`, costs shares of the teacher's; `{WORST}` is the smallest of the "
    f"differences to the teacher of {', '.join(TASK_SCORES)}. After ± stands the standard deviation over seeds. "
    f"Differences are `{OURS}` minus the other, in points, paired by seed; in brackets how often `{OURS}` is ahead. "
    "Recovery `none` means batch norms measured again, no training; all others take the same steps."
)


def write_summary(rows: Sequence[Row], out: Path, about: str) -> Path:
    """Write everything into ``out`` and return the page to read first.

    Args:
        rows: of finished cells, the teacher's among them.
        out: folder.
        about: a paragraph on teacher, data, machine and settings.
    """
    paired = {"At equal budget": tables.paired_table(rows)}
    paired |= {f"At equal {cost}, no recovery": tables.equal_cost_table(rows, cost) for cost in COSTS[1:]}
    paired["What recovery adds, against labels alone"] = tables.recovery_table(rows)
    _write_csv(out / "cells.csv", tables.cell_table(rows))
    _write_csv(out / "paired.csv", [["comparison"], *([name, *line] for name, t in paired.items() for line in t)])
    parts = ["# Ablation", about, _HOW]
    for recovery in dict.fromkeys(row.cell.recovery for row in rows if row.scores):
        for cost in COSTS:
            if panels := _panels(rows, cost, recovery):
                name = f"{recovery.replace('+', '-')}-{cost}.svg"
                write_text(out / name, line_chart(panels))
                parts.append(f"![Scores against {cost}, recovery {recovery}]({name})")
    parts += ["## Scores", tables.markdown(tables.score_table(rows))]
    for name, table in paired.items():
        if len(table) > 1:
            parts += [f"## {name}", tables.markdown(table)]
    faults = sorted({f"- {row.cell.name}: {row.fault}" for row in rows if row.fault})
    parts += ["## Out of reach", "\n".join(faults)] if faults else []
    page = out / "summary.md"
    write_text(page, "\n\n".join(parts) + "\n")
    return page


def _panels(rows: Sequence[Row], cost: str, recovery: str) -> list[Panel]:
    """One a score; empty where nothing was measured."""
    methods = dict.fromkeys(r.cell.method for r in rows if r.cell.recovery == recovery and r.cell.method != TEACHER)
    teacher = next(row for row in rows if row.cell.method == TEACHER)
    panels = []
    for score in (*(name for name in TASK_SCORES if name in teacher.scores), WORST):
        lines = {method: _line(curve(rows, method, cost, recovery=recovery), cost, score) for method in methods}
        known = {method: line for method, line in lines.items() if len(line) > 1}
        if known:
            panels.append(Panel(score, f"{cost}, % of the teacher's", known, teacher.scores[score] - _DEEPEST))
    return panels


def _line(rows: Sequence[Row], cost: str, score: str) -> list[tuple[float, float]]:
    """A point a budget, of means over seeds."""
    points = []
    for share in dict.fromkeys(row.cell.share for row in rows):
        alike = [row for row in rows if row.cell.share == share]
        points.append((100 * mean(row.costs[cost] for row in alike), mean(row.scores[score] for row in alike)))
    return points


def _write_csv(path: Path, table: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    write_text(path, text.getvalue())
