"""``panoedge ablate``: what each part of the method is worth, measured over budgets, recoveries and seeds."""

from panoedge.ablate.command import register

__all__ = ["register"]
