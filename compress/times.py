"""What the layers of a network take: measured at several widths (``panoedge cost``), or spread over all widths from one
profile of the whole network (``panoedge bench --profile``), which is coarser."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.latency import layer_runs, widths_to_measure
from perception.cost import work
from perception.errors import MALFORMED, InputError, brief
from perception.fields import duration
from perception.files import read_json
from perception.layer_times import Grid, Layer, LayerTimes, Price, Times, nothing, parse_times
from perception.networks.base import Network

# How a layer's time follows its widths where it is known at one only: a quarter with what it reads, a quarter with what
# it writes, the rest with its multiply-accumulates. docs/latency.md says how well that holds.
_BY_INPUTS = _BY_OUTPUTS = 0.25
_CURE = "panoedge bench MODEL --profile --json FILE"


@dataclass(frozen=True)
class ProfiledTimes:
    """What the profile of one network says of narrower ones.

    Attributes:
        fixed: milliseconds of what is no layer whose widths are free.
        grids: of all others, by path of the module.
    """

    fixed: float
    grids: Mapping[str, Grid]

    def of(self, path: str, runs: Iterable[Layer]) -> Price:
        """See :class:`perception.layer_times.Times`."""
        grid = self.grids.get(path)
        return grid.at if grid else nothing


def read_times(path: Path, network: Network) -> Times:
    """Read what ``panoedge cost`` wrote, or a report with the profile of one network.

    Args:
        path: of the JSON file.
        network: that was measured, or one with the same kinds of layers, none of them wider.

    Raises:
        InputError: it is neither, or a report without a profile or of several networks, or it is of another network.
    """
    data = read_json(path)
    if not isinstance(data, dict) or "models" not in data:
        times = parse_times(path, data)
        _check_same(path, times, network)
        return times
    try:
        return _profiled(path, data["models"], network)
    except MALFORMED as error:
        raise InputError(f"{path}: malformed report ({brief(error)}); write it again: {_CURE}") from None


def _check_same(path: Path, times: LayerTimes, network: Network) -> None:
    """What was not measured would count for nothing."""
    cure = "measure this one: panoedge cost"
    if times.network != network.name:
        raise InputError(f"{path}: is of {brief(times.network)}, not of {network.name}; {cure}")
    for kind, axes in widths_to_measure(network).items():
        grid = times.grids.get(kind)
        if grid is None:
            raise InputError(f"{path}: is of another network, of another input size or mask stride; no {kind}; {cure}")
        if axes.inputs[-1] > grid.inputs[-1] or axes.outputs[-1] > grid.outputs[-1]:
            raise InputError(f"{path}: is of a narrower network; {kind} with fewer channels than this one has; {cure}")


def _profiled(path: Path, models: list[dict[str, Any]], network: Network) -> ProfiledTimes:
    deployed = network.fused()
    model = _only(path, models, network.name, sum(parameter.numel() for parameter in deployed.parameters()))
    layers = model["profile"]["layers"]
    total = math.fsum(duration(layer["ms"]) for layer in layers)
    # The profiler slows layers down, so they are shares of what was measured without it.
    scale = duration(model["speed"]["network"]["ms"]["p50"]) / total
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError("times that are none")
    done = work(deployed)
    runs = {module: found for module, found in layer_runs(deployed, done).items() if found}
    ms = _by_module(
        layers, {module: done.positions[module] * deployed.get_parameter(f"{module}.weight").numel() for module in runs}
    )
    if not ms:
        raise InputError(f"{path}: its layers do not say which modules they are; export again and measure: {_CURE}")
    grids = {module: _spread(scale * each, runs[module][0]) for module, each in ms.items()}
    return ProfiledTimes(scale * (total - math.fsum(ms.values())), grids)


def _only(path: Path, models: list[dict[str, Any]], network: str, parameters: int) -> dict[str, Any]:
    """The one model of a report, which must be of this network and have a profile."""
    if len(models) != 1:
        raise InputError(f"{path}: is of {len(models)} networks; measure one alone: {_CURE}")
    (model,) = models
    if not model.get("profile"):
        raise InputError(f"{path}: has no profile; measure again: {_CURE}")
    if (model["network"], model["parameters"]) != (network, parameters):
        raise InputError(
            f"{path}: is of {brief(model['network'])} with {brief(model['parameters'])} parameters, not of the "
            f"checkpoint's {network} with {parameters}; export that and measure it: {_CURE}"
        )
    return model


def _by_module(layers: Iterable[Mapping[str, Any]], macs: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds by module; where several were joined, by their multiply-accumulates ``macs``."""
    ms: dict[str, float] = {}
    for layer in layers:
        modules = [module for module in layer.get("modules", ()) if module in macs]
        whole = sum(macs[module] for module in modules)
        for module in modules:
            ms[module] = ms.get(module, 0.0) + layer["ms"] * macs[module] / whole
    return ms


def _spread(ms: float, layer: Layer) -> Grid:
    """Over all widths, of a layer that takes so long at those that it has."""
    if layer.kind.operator == "depthwise":
        return Grid((layer.inputs,), (0, layer.outputs), ((0.0, ms),))
    return Grid((0, layer.inputs), (0, layer.outputs), ((0.0, _BY_OUTPUTS * ms), (_BY_INPUTS * ms, ms)))
