"""The report of a run: what was measured, as data, as Markdown and as one HTML page that needs nothing else."""

from panoedge.report.command import register
from panoedge.report.merge import merge
from panoedge.report.overlay import Overlay, Panel
from panoedge.report.write import write_report

__all__ = ["Overlay", "Panel", "merge", "register", "write_report"]
