"""Measure a folder of single layers and whole networks (:mod:`perception.layer_bundle`) on this machine.

What disturbs a measurement only ever makes it longer. So every file is opened in several passes, each gives its fastest
turn, and the median of the passes counts: one lucky pass does not. Passes alternate in direction, which spreads what
changes slowly, such as a clock that falls with heat, over all files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from perception.layer_bundle import Bundle, read_index
from perception.layer_times import Grid, LayerTimes
from perception.progress import Progress
from runtime.backends import Provider, open_backend
from runtime.backends.bare import open_bare
from runtime.device import probe
from runtime.timing import Clock

_WARM_UP = 3


@dataclass(frozen=True)
class Patience:
    """How long to measure.

    Attributes:
        passes: over all files.
        count: turns of a file in a pass, at least.
        seconds: of a file in a pass, at least.
    """

    passes: int = 3
    count: int = 8
    seconds: float = 0.02


def measure_costs(
    folder: Path, provider: Provider = "auto", threads: int = 1, patience: Patience = Patience()
) -> LayerTimes:
    """Measure all layers of ``folder`` and fit them to its whole networks.

    Where an engine lies beside an ONNX file, it is what is measured. On a CPU with one thread, the time that other
    programs took in between is not counted.

    Raises:
        InputError: ``folder`` is no bundle, or its files cannot be run here.
    """
    bundle = read_index(folder)
    names = [*bundle.wholes, *(name for name, _ in bundle.layers())]
    files = {name: _runnable(folder / name) for name in names}
    device = _device(files[names[0]], provider, threads)
    alone = device.get("provider") == "CPUExecutionProvider" and threads == 1
    clock = thread_time if alone else perf_counter
    device["clock"] = "of the computing thread" if alone else "of the wall"
    ms = _measure(files, provider, threads, patience, clock)
    times = LayerTimes(bundle.network, bundle.precision, device, _grids(bundle, ms))
    return fit(times, bundle, ms)


def fit(times: LayerTimes, bundle: Bundle, ms: Mapping[str, float]) -> LayerTimes:
    """Choose ``fixed`` (0 or more) and ``scale`` such that whole networks are predicted with the least squared relative
    error, and note how well they are."""
    wholes = {name: sum(times.grids[kind].at(*widths) for kind, *widths in run) for name, run in bundle.wholes.items()}
    sums = np.array(list(wholes.values()))
    found = np.array([ms[name] for name in wholes])
    terms = np.stack([1 / found, sums / found], 1)
    (fixed, scale), *_ = np.linalg.lstsq(terms, np.ones(len(found)), rcond=None)
    if fixed < 0 or len(found) == 1:
        fixed, scale = 0.0, float(terms[:, 1].sum() / (terms[:, 1] ** 2).sum())
    times = replace(times, fixed=float(fixed), scale=float(scale))
    checks = [
        {"name": name, "ms": ms[name], "predicted": times.total(layers)} for name, layers in bundle.wholes.items()
    ]
    return replace(times, checks=tuple(checks))


def _grids(bundle: Bundle, ms: Mapping[str, float]) -> dict[Any, Grid]:
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


def _measure(
    files: Mapping[str, Path], provider: Provider, threads: int, patience: Patience, clock: Clock
) -> dict[str, float]:
    """Milliseconds by name."""
    fastest: dict[str, list[float]] = {name: [] for name in files}
    order: Sequence[str] = list(files)
    with Progress("measuring", patience.passes * len(files)) as progress:
        for _ in range(patience.passes):
            for name in order:
                with open_bare(files[name], provider, threads) as compute:
                    fastest[name].append(_fastest(compute, patience, clock))
                progress.step(note=name)
            order = order[::-1]
    return {name: median(laps) for name, laps in fastest.items()}


def _fastest(compute: Callable[[], None], patience: Patience, clock: Clock) -> float:
    """Milliseconds of the fastest of some turns."""
    for _ in range(_WARM_UP):
        compute()
    least, began, count = float("inf"), perf_counter(), 0
    while count < patience.count or perf_counter() - began < patience.seconds:
        start = clock()
        compute()
        least = min(least, clock() - start)
        count += 1
    return 1000 * least
