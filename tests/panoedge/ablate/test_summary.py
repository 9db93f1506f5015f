import csv
from xml.etree import ElementTree

from panoedge.ablate.summary import write_summary


def test_everything_is_written(tmp_path, found):
    page = write_summary(found, tmp_path, "A teacher on scenes.")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Ablation\n\nA teacher on scenes.\n")
    for part in ("## Scores", "## At equal budget", "## At equal macs, no recovery", "random_0.5_none_0: budget: out"):
        assert part in text
    assert "## At equal latency" not in text
    plots = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert {"none-params.svg", "none-macs.svg"} <= set(plots) and all(f"({name})" in text for name in plots)
    for name in plots:
        ElementTree.parse(tmp_path / name)
    with (tmp_path / "cells.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(found)
    assert (tmp_path / "paired.csv").read_text(encoding="utf-8").count("At equal budget,50 %,none,taylor") == 1
