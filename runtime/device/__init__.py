"""The machine under a measurement: what it is (``probe``), and what it went through meanwhile (``Sampler``)."""

from runtime.device.probe import Ask, Facts, ask, probe
from runtime.device.sampler import Sampler

__all__ = ["Ask", "Facts", "Sampler", "ask", "probe"]
