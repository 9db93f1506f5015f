"""The same frames as several networks see them, painted and saved beside a report."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from runtime.backends import Backend
from runtime.overlay import draw, save
from runtime.pipeline import Frame, Perceiver, SourceLost
from runtime.report import names_of
from runtime.sources import Source


def save_scenes(backends: Sequence[Backend], source: Source, count: int, report: Path) -> list[dict[str, Any]]:
    """Save ``count`` frames with what each network sees in them, in a folder named after ``report`` beside it.

    Returns:
        The ``overlays`` of the report: of each frame its ``title`` and ``panels``, each with ``label``, the network's,
        and ``file``, relative to the report.

    Raises:
        InputError: a picture cannot be written.
    """
    perceivers = [Perceiver(backend) for backend in backends]
    names = names_of([backend.path for backend in backends])
    folder, origin = f"{report.stem}-overlays", source.path.name if source.path else source.label
    scenes = []
    for number, frame in enumerate(_spread(source, count), 1):
        panels = []
        for place, (name, perceiver) in enumerate(zip(names, perceivers, strict=True), 1):
            file = f"{folder}/{number:02}-{place}.jpg"
            seen = perceiver(frame)
            save(report.parent / file, draw(frame.image, seen.prediction, seen.fit, perceiver.backend.info.spec))
            panels.append({"label": name, "file": file})
        scenes.append({"title": f"{origin}, {frame.name}", "panels": panels})
    return scenes


def _spread(source: Source, count: int) -> Iterator[Frame]:
    """Frames from the whole of a source whose length is known, else its next ones; fewer where it is lost."""
    step = max(1, (source.count or 0) // count)
    with closing(source.endless()) as frames, suppress(SourceLost):
        yield from islice(frames, 0, step * min(count, source.count or count), step)
