"""``panoedge report REPORT.json... --out DIR``: compare runs in one page."""

import argparse
from pathlib import Path

from panoedge.report.merge import merge
from panoedge.report.overlay import join, read
from panoedge.report.schema import load
from panoedge.report.write import write_report


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add ``report``."""
    parser = subparsers.add_parser(
        "report",
        help="compare runs in one page",
        description="Put the models of several reports into one report.json, report.md and report.html.\n"
        "The first model of the first report is what all others are compared with.",
        epilog="example:\n  %(prog)s teacher.json student.json --out runs/comparison",
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json", help="written by bench, demo or report")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json, report.md and report.html")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    reports = [load(path) for path in arguments.reports]
    pairs = zip(reports, arguments.reports, strict=True)
    overlays = join([overlay for report, path in pairs for overlay in read(report, path)])
    merged = reports[0] if len(reports) == 1 else merge(reports)
    write_report(merged, arguments.out, overlays)
    print(arguments.out / "report.html")
