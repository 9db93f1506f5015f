"""A report on disk: the data, the same as Markdown, the same as one HTML page, and the pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from panoedge.report import markdown, page
from panoedge.report.document import document
from panoedge.report.overlay import Overlay, Picture, encode
from panoedge.report.schema import check
from perception.files import alone, atomic, writable_folder, write_json, write_text


def write_report(report: Mapping[str, Any], out: Path, overlays: Sequence[Overlay] = ()) -> None:
    """Write ``report.json``, ``report.md``, ``report.html`` and ``overlays/*.jpg`` into the folder ``out``.

    Processes that write into the same folder take turns, so that what lies there belongs together.

    Args:
        report: as :mod:`panoedge.report.schema` describes it; its own ``overlays`` are replaced by those given.
        out: made when absent.
        overlays: scenes in the order to show them.

    Raises:
        InputError: for a report that does not follow the schema, or a folder that cannot be written.
    """
    out = writable_folder(out)
    scenes = encode(overlays)
    report = {**report, "overlays": [_reference(title, pictures) for title, pictures in scenes]}
    laid_out = document(check(report, str(out / "report.json")), scenes)
    texts = {"report.md": markdown.render(laid_out), "report.html": page.render(laid_out)}
    with alone(out / "report.json"):
        for _, pictures in scenes:
            for picture in pictures:
                with atomic(out / picture.file) as temporary:
                    temporary.write_bytes(picture.jpeg)
        write_json(out / "report.json", report)
        for name, text in texts.items():
            write_text(out / name, text)


def _reference(title: str, pictures: Sequence[Picture]) -> dict[str, Any]:
    return {"title": title, "panels": [{"label": picture.label, "file": picture.file} for picture in pictures]}
