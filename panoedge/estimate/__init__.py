"""How fast a network might be on a board that is not at hand, from its graph and the board's data sheet."""

from panoedge.estimate.command import register

__all__ = ["register"]
