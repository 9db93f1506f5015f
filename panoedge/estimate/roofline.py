"""How long a network would take on a board that is not at hand. An estimate, and never more than that.

A launch takes the time of its arithmetic and a fixed number of GPU cycles, unless its memory traffic takes longer:

    time = sum over launches of max(macs / (efficiency x peak) + cycles / clock, bytes / bandwidth)

Peak, clock and bandwidth are published. The share of the peak that is reached, and the cycles of a launch (what it
costs to begin and end, and the usual traffic of a detector's layer), are fitted to published latencies by least squares
of relative errors. The error band is the worst miss on a network that was left out of the fit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from panoedge.estimate.boards import Board
from panoedge.estimate.graph import Kernel
from panoedge.estimate.published import PUBLISHED, Measurement


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Attributes:
        efficiency: share of the peak arithmetic that is reached.
        cycles: of the GPU's clock that a launch costs beside its work.
    """

    efficiency: float
    cycles: float

    def predict(self, known: Measurement) -> float:
        """Milliseconds of a network of which only size and layers are known, so that memory is left out."""
        arithmetic, launches = _terms(known)
        return arithmetic / self.efficiency + launches * self.cycles


@dataclass(frozen=True)
class Estimate:
    """Of one run of the network, in milliseconds; its three parts add up to ``total``.

    Attributes:
        arithmetic: of all launches.
        launching: of all launches, whatever they compute.
        memory: by which memory holds up those launches that it limits.
        band: the true time is thought to lie within this share of ``total``, above or below.
    """

    arithmetic: float
    launching: float
    memory: float
    band: float

    @property
    def total(self) -> float:
        """The estimate."""
        return self.arithmetic + self.launching + self.memory

    @property
    def lowest(self) -> float:
        """Lower end of the band."""
        return self.total * (1 - self.band)

    @property
    def highest(self) -> float:
        """Upper end of the band."""
        return self.total * (1 + self.band)


def estimate(kernels: Sequence[Kernel], board: Board) -> Estimate:
    """Estimate the time of these launches, one after the other, in FP16."""
    calibration = fit(known for known in PUBLISHED if known.fitted)
    launch = calibration.cycles / board.mhz / 1e3
    arithmetic = [kernel.macs / (calibration.efficiency * board.fp16_macs_per_s) * 1e3 for kernel in kernels]
    traffic = [kernel.bytes / board.gb_per_s / 1e6 for kernel in kernels]
    return Estimate(
        arithmetic=sum(arithmetic),
        launching=launch * len(kernels),
        memory=sum(max(0.0, moving - work - launch) for work, moving in zip(arithmetic, traffic, strict=True)),
        band=error_band(),
    )


def fit(measurements: Iterable[Measurement]) -> Calibration:
    """Least squares of relative errors over both constants."""
    known = list(measurements)
    rows = np.array([_terms(each) for each in known]) / np.array([[each.ms] for each in known])
    (inverse, cycles), *_ = np.linalg.lstsq(rows, np.ones(len(known)), rcond=None)
    return Calibration(float(1 / inverse), float(cycles))


def errors() -> list[tuple[Measurement, float]]:
    """Relative error on each published figure, by a fit that has not seen the network of that figure."""
    return [(known, _without(known.network).predict(known) / known.ms - 1) for known in PUBLISHED]


def error_band() -> float:
    """The largest of :func:`errors`."""
    return max(abs(error) for _, error in errors())


def _without(network: str) -> Calibration:
    return fit(known for known in PUBLISHED if known.fitted and known.network != network)


def _terms(known: Measurement) -> tuple[float, float]:
    """Milliseconds of arithmetic at the peak rate, and milliseconds that one cycle a layer takes."""
    return known.gmacs * 1e9 / known.board.fp16_macs_per_s * 1e3, known.layers / known.board.mhz / 1e3
