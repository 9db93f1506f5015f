"""An ablation's tables: as data for CSV, and as Markdown."""

from collections.abc import Sequence
from statistics import mean, stdev

from panoedge.ablate.rows import COSTS, TASK_SCORES, WORST, Row
from panoedge.ablate.settings import NONE, OURS, TEACHER
from panoedge.ablate.statistics import LEVELS, Difference, at_equal_budget, at_equal_cost
from panoedge.report.text import MINUS
from panoedge.report.text import NONE as NOTHING

Table = list[list[str]]


def cell_table(rows: Sequence[Row]) -> Table:
    """Every cell with all its figures, for other programs."""
    scores = list(dict.fromkeys(name for row in rows for name in row.scores))
    table = [["method", "share", "recovery", "seed", *COSTS, *scores, "seconds", "fault"]]
    for row in rows:
        cell = row.cell
        numbers = [*(row.costs.get(cost) for cost in COSTS), *(row.scores.get(score) for score in scores)]
        shown = ["" if number is None else f"{number:.4f}" for number in numbers]
        table.append(
            [cell.method, f"{cell.share:g}", cell.recovery, str(cell.seed), *shown, f"{row.seconds:.1f}", row.fault]
        )
    return table


def score_table(rows: Sequence[Row]) -> Table:
    """Costs and scores by budget, recovery and method: means over seeds, with their standard deviation."""
    shown = _shown(rows)
    table = [["budget", "recovery", "method", "seeds", *(f"{cost} %" for cost in COSTS), *shown, "seconds"]]
    for share, recovery, method in dict.fromkeys((r.cell.share, r.cell.recovery, r.cell.method) for r in rows):
        alike = [r for r in rows if (r.cell.share, r.cell.recovery, r.cell.method) == (share, recovery, method)]
        done = [row for row in alike if row.scores]
        head = [f"{100 * share:g} %", recovery, method, f"{len(done)} of {len(alike)}"]
        costs = [_average([100 * row.costs[cost] for row in done if cost in row.costs]) for cost in COSTS]
        scores = [_average([row.scores[name] for row in done]) for name in shown]
        table.append([*head, *costs, *scores, _average([row.seconds for row in done])])
    return table


def paired_table(rows: Sequence[Row]) -> Table:
    """Ours minus each other method at equal budget, by recovery."""
    shown = _shown(rows)
    table = [["budget", "recovery", f"{OURS} against", *shown]]
    for share, recovery, method in dict.fromkeys((r.cell.share, r.cell.recovery, r.cell.method) for r in rows):
        found = [at_equal_budget(rows, share, recovery, method, score) for score in shown]
        if method not in (OURS, TEACHER) and any(found):
            table.append([f"{100 * share:g} %", recovery, method, *map(_difference, found)])
    return table


def equal_cost_table(rows: Sequence[Row], cost: str) -> Table:
    """Ours minus each other method where both cost the same, along each method's own curve, without recovery."""
    methods = dict.fromkeys(row.cell.method for row in rows if row.cell.recovery == NONE)
    shown = _shown(rows)
    table = [[cost, f"{OURS} against", *shown]]
    for level in LEVELS:
        for method in methods:
            found = [at_equal_cost(rows, cost, level, method, score) for score in shown]
            if method not in (OURS, TEACHER) and any(found):
                table.append([f"{100 * level:g} %", method, *map(_difference, found)])
    return table


def recovery_table(rows: Sequence[Row]) -> Table:
    """Each recovery minus that by labels alone, by budget and method, and its time against theirs."""
    shown = _shown(rows)
    table = [["budget", "method", "recovery against labels", *shown, "time"]]
    trained = [row for row in rows if row.cell.recovery != NONE and row.scores]
    for share, method, recovery in dict.fromkeys((r.cell.share, r.cell.method, r.cell.recovery) for r in trained):
        of_method = [row for row in trained if (row.cell.share, row.cell.method) == (share, method)]
        labels = {row.cell.seed: row for row in of_method if row.cell.recovery == "labels"}
        pairs = [(r, labels[r.cell.seed]) for r in of_method if r.cell.recovery == recovery and r.cell.seed in labels]
        if recovery != "labels" and pairs:
            found = [Difference.of([its.scores[score] - base.scores[score] for its, base in pairs]) for score in shown]
            known = [its.seconds / base.seconds for its, base in pairs if base.seconds]
            time = f"{mean(known):.2f}×" if known else NOTHING
            table.append([f"{100 * share:g} %", method, recovery, *map(_difference, found), time])
    return table


def _shown(rows: Sequence[Row]) -> list[str]:
    """One score of each task that the network does, and the worst of them."""
    known = {name for row in rows for name in row.scores}
    return [name for name in (*TASK_SCORES, WORST) if name in known]


def markdown(table: Table) -> str:
    """Aligned by whoever renders it."""
    head, *body = table
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _average(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def _difference(found: Difference | None) -> str:
    """``+1.20 ± 0.31 (3/3)``: mean, standard deviation, how often ours wins."""
    if found is None:
        return NOTHING
    spread = "" if found.spread is None else f" ± {found.spread:.2f}"
    sign = "+" if found.mean >= 0 else MINUS
    return f"{sign}{abs(found.mean):.2f}{spread} ({found.wins}/{found.pairs})"
