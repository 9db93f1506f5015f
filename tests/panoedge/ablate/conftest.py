"""Rows of a small ablation with scores that follow a rule."""

import pytest

from panoedge.ablate.rows import WORST, Row
from panoedge.ablate.settings import TEACHER, Cell


def row(method, share, seed, score, recovery="none", macs=None, **costs):
    """A cell whose tasks all have one score, of a teacher that has 90."""
    scores = {"recall": score, "mAP50": score, "drivable_mIoU": score, "lane_IoU": score, WORST: score - 90}
    costs = {"params": share, "macs": share if macs is None else macs, **costs}
    return Row(Cell(method, share, recovery, seed), scores, costs, 10.0)


@pytest.fixture
def found():
    """Two seeds, two budgets; safe keeps more MACs than taylor, and trained cells take half as long again with kd."""
    rows = [row(TEACHER, 1.0, 0, 90, latency=1.0)]
    for seed in (0, 1):
        for share in (0.8, 0.5):
            rows.append(row("taylor", share, seed, 60 * share + 30 + seed, macs=share))
            rows.append(row("safe", share, seed, 40 * share + 50 - seed, macs=share + 0.1))
        rows.append(row("safe", 0.5, seed, 80, recovery="labels"))
        kd = row("safe", 0.5, seed, 81 + seed, recovery="kd")
        rows.append(Row(kd.cell, kd.scores, kd.costs, 15.0))
    return [*rows, Row(Cell("random", 0.5, "none", 0), {}, {}, fault="budget: out of reach")]
