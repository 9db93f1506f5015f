"""Measure a folder of single layers and whole networks (:mod:`perception.layer_bundle`) on this machine.

What disturbs a measurement only ever makes it longer, so the fastest turn counts. Turns are spread over several passes
through all files, which alternate in direction, so that a busy minute or a clock that falls with heat meets all alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from perception.layer_bundle import Bundle, read_index
from perception.layer_times import Grid, Kind, LayerTimes
from perception.progress import Progress
from runtime.backends import Provider, open_backend
from runtime.backends.bare import open_bare
from runtime.device import probe
from runtime.timing import Lap

_WARM_UP = 3


@dataclass(frozen=True)
class Patience:
    """How long to measure.

    Attributes:
        passes: through all files.
        count: a pass is through with a file after so many turns in a row that were no faster than one before; so what
            takes long, and is rarely left in peace, gets more of them.
        seconds: of a file in a pass, at least.
    """

    passes: int = 5
    count: int = 50
    seconds: float = 0.02


def measure_costs(
    folder: Path, provider: Provider = "auto", threads: int = 1, patience: Patience = Patience()
) -> LayerTimes:
    """Measure all layers of ``folder`` and fit them to its whole networks.

    Where an engine lies beside an ONNX file, it is what is measured.

    Raises:
        InputError: ``folder`` is no bundle, or its files cannot be run here.
    """
    bundle = read_index(folder)
    names = [*bundle.wholes, *(name for name, _ in bundle.layers())]
    files = {name: _runnable(folder / name) for name in names}
    device = _device(files[names[0]], provider, threads)
    ms = measure_files(files, provider, threads, patience)
    return fit(LayerTimes(bundle.network, bundle.precision, device, _grids(bundle, ms)), bundle, ms)


def measure_files(files: Mapping[str, Path], provider: Provider, threads: int, patience: Patience) -> dict[str, float]:
    """Milliseconds that each file takes to compute, by name; errors as in :func:`runtime.backends.bare.open_bare`."""
    least = dict.fromkeys(files, inf)
    order: Sequence[str] = list(files)
    with Progress("measuring", patience.passes * len(files)) as progress:
        for _ in range(patience.passes):
            for name in order:
                with open_bare(files[name], provider, threads) as lap:
                    least[name] = min(least[name], _fastest(lap, patience))
                progress.step(note=name)
            order = order[::-1]
    return least


def fit(times: LayerTimes, bundle: Bundle, ms: Mapping[str, float]) -> LayerTimes:
    """Choose ``fixed``, 0 or more, and ``scale`` such that whole networks are predicted with the least sum of squared
    relative errors, and note how well they are."""
    sums = {name: replace(times, fixed=0.0, scale=1.0).total(layers) for name, layers in bundle.wholes.items()}
    terms = np.array([[1 / ms[name], total / ms[name]] for name, total in sums.items()])
    (fixed, scale), *_ = np.linalg.lstsq(terms, np.ones(len(terms)), rcond=None)
    if fixed < 0:
        fixed, scale = 0, terms[:, 1].sum() / (terms[:, 1] ** 2).sum()
    fitted = replace(times, fixed=float(fixed), scale=float(scale))
    checks = [
        {"name": name, "ms": ms[name], "predicted": fitted.total(layers)} for name, layers in bundle.wholes.items()
    ]
    return replace(fitted, checks=tuple(checks))


def _grids(bundle: Bundle, ms: Mapping[str, float]) -> dict[Kind, Grid]:
    values = iter([ms[name] for name, _ in bundle.layers()])
    return {
        kind: Grid(axes.inputs, axes.outputs, tuple(tuple(next(values) for _ in axes.outputs) for _ in axes.inputs))
        for kind, axes in bundle.axes.items()
    }


def _runnable(onnx: Path) -> Path:
    engine = onnx.with_suffix(".engine")
    return engine if engine.is_file() else onnx


def _device(path: Path, provider: Provider, threads: int) -> dict[str, Any]:
    """What measures, as in reports."""
    with open_backend(path, provider, threads) as backend:
        return {**probe(), **backend.describe()}


def _fastest(lap: Callable[[], Lap], patience: Patience) -> float:
    """Milliseconds of the fastest of some turns."""
    for _ in range(_WARM_UP):
        lap()
    least, began, since = inf, perf_counter(), 0
    while since < patience.count or perf_counter() - began < patience.seconds:
        ms = lap().total
        least, since = (ms, 0) if ms < least else (least, since + 1)
    return least
