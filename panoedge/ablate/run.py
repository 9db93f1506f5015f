"""All cells of an ablation, then their latencies, then the tables and plots."""

from dataclasses import asdict
from pathlib import Path

import torch

from panoedge.ablate.cells import Study
from panoedge.ablate.latency import latencies
from panoedge.ablate.rows import rows
from panoedge.ablate.settings import NONE, TEACHER, AblationSettings
from panoedge.ablate.summary import write_summary
from perception.files import sweep, writable_folder
from perception.progress import Progress
from runtime.device import probe


def ablate(teacher: Path, data: Path, settings: AblationSettings, out: Path) -> Path:
    """Run what has not been run yet and return the page that sums up; the same call again resumes.

    Raises:
        InputError: for files or data that cannot be used.
    """
    sweep(writable_folder(out).rglob(".*.part"))
    study = Study(teacher, data, settings, out)
    cells = settings.cells()
    records = []
    with Progress("ablation", len(cells)) as progress:
        for cell in cells:
            records.append(study.result(cell))
            progress.step(note=cell.name)
    whole = zip(cells, records, strict=True)
    pruned = [c for c, record in whole if c.method != TEACHER and c.recovery == NONE and "fault" not in record]
    paths = {cell: study.network(cell) for cell in pruned}
    shares = latencies(teacher, dict.fromkeys(paths.values()), out)
    return write_summary(rows(records, {cell: shares[path] for cell, path in paths.items()}), out, _about(study))


def _about(study: Study) -> str:
    sizes = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in {**asdict(study.settings), "contenders": study.settings.trained}.items()
    }
    settings = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in sizes.items())
    machine = f"{probe()['name']}, torch {torch.__version__}"
    return f"`{study.teacher.name}` on `{study.data.name}`, measured on {machine}. {settings}."
