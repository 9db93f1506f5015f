"""Synthetic driving scenes with exact labels: data that needs no download and no licence."""

from perception.synthetic.scene import Scene, render
from perception.synthetic.writing import write

__all__ = ["Scene", "render", "write"]
