"""What each task lives on: loss and metrics while channels leave one room of the network at a time."""

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from compress.batch_norms import settle
from compress.data import Batch, Frames, Source, collate, loader
from compress.device import choose
from compress.gradients import Measured, measure
from compress.groups import ChannelGroups
from compress.judge import judge
from compress.validate import validate
from perception import checkpoint
from perception.data import open_dataset
from perception.errors import require
from perception.evaluation import headline
from perception.networks.base import Network
from perception.progress import Progress


@dataclass(frozen=True)
class SensitivitySettings:
    """How much is looked at; the defaults are cheap.

    Attributes:
        ratios: shares of each group's channels in a room that are taken, the least important first.
        depth: how many parts of a layer's path name its room: 2 makes ``model.4.m.0.cv1`` part of ``model.4``; the more
            parts, the finer the rooms.
        frames: of the validation split, the first so many.
        calibration: training images that importance and conflict are measured on.
        reestimation: training images that batch norms are measured on again after each removal.
        batch: images at a time.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: of the choice of images.
    """

    ratios: tuple[float, ...] = (0.25, 0.5)
    depth: int = 2
    frames: int = 200
    calibration: int = 64
    reestimation: int = 64
    batch: int = 16
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InputError for numbers that make no sense."""
        for ratio in self.ratios:
            require(0 < ratio < 1, "ratio", ratio, "must lie between 0 and 1")
        for name in ("depth", "frames", "calibration", "reestimation", "batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")


def sensitivity(source: Path, data: Path, settings: SensitivitySettings) -> dict[str, Any]:
    """Measure the network in ``source`` whole, and with each room thinned by each ratio.

    Returns:
        ``whole``: ``loss`` and ``score`` by name; ``rooms``: for each the mean ``conflict`` by pair of tasks and, in
        ``thinned`` by ratio, the same and the share of parameters ``kept``; and the ``settings``.

    Raises:
        InputError: for files or data that cannot be used.
    """
    network = checkpoint.load(source).network
    # In float32, as pruning: importance and conflict are small differences of large sums.
    network.to(choose(settings.device, "fp32").device)
    frames = Frames([Source(data)], "train", network.spec)
    judged = Frames([Source(data)], "val", network.spec)

    def batches(images: int) -> Iterator[Batch]:
        return itertools.islice(loader(frames, settings.batch, settings.seed), max(1, images // settings.batch))

    def look(region: str | None = None, doomed: Mapping[str, list[int]] | None = None) -> dict[str, Any]:
        """At a copy without the ``doomed`` channels. Batch norms are measured again even where there are none, so that
        nothing else differs."""
        copied = copy.deepcopy(network)
        if doomed:
            ChannelGroups(copied, region).remove(doomed)
        settle(copied, batches(settings.reestimation), batches(settings.calibration))
        loss = judge(copied, _first(judged, min(settings.frames, len(judged)), settings.batch)).losses
        score = headline(validate(copied, open_dataset(data, "val"), frames=settings.frames))
        return {"kept": round(_size(copied) / _size(network), 4), "loss": loss, "score": score}

    found = rooms(network, settings.depth)
    # Once a region, not once a room: only so are tasks weighed against each other by all that they use.
    measured = {
        region: measure(network, ChannelGroups(network, region), batches(settings.calibration))
        for region in dict.fromkeys(region for region, _ in found.values())
    }
    with Progress("sensitivity", 1 + len(found) * len(settings.ratios)) as progress:
        whole = look()
        progress.step()
        records = {}
        for name, (region, paths) in found.items():
            thinned = {}
            for ratio in settings.ratios:
                thinned[f"{ratio:g}"] = look(region, least_important(measured[region], paths, ratio))
                progress.step(note=f"{name} {ratio:g}")
            records[name] = {"conflict": mean_conflict(measured[region], paths), "thinned": thinned}
    return {"settings": asdict(settings), "whole": whole, "rooms": records}


def rooms(network: Network, depth: int) -> dict[str, tuple[str, set[str]]]:
    """Group paths by the first ``depth`` parts of their path, with the region that they are found in.

    Every region counts; what lies in several is taken from the first.
    """
    found: dict[str, tuple[str, set[str]]] = {}
    seen: set[str] = set()
    for region in network.regions:
        for group in ChannelGroups(network, region):
            if group.path not in seen:
                seen.add(group.path)
                name = ".".join(group.path.split(".")[:depth])
                found.setdefault(name, (region, set()))[1].add(group.path)
    return dict(sorted(found.items(), key=lambda item: _natural(item[0])))


def least_important(measured: Measured, paths: Iterable[str], ratio: float) -> dict[str, list[int]]:
    """Of each group the ``ratio`` of channels whose largest importance to any task is least; one stays at least."""
    doomed = {}
    for path in paths:
        largest = (measured.importance[path] / measured.mean[:, None]).amax(0)
        doomed[path] = largest.argsort()[: min(int(ratio * len(largest)), len(largest) - 1)].tolist()
    return doomed


def mean_conflict(measured: Measured, paths: Iterable[str]) -> dict[str, float]:
    """Average over the channels of ``paths`` by pair of tasks, such as ``detection-lane``."""
    over_channels = torch.cat([measured.by_pair[path] for path in paths], 1).mean(1)
    pairs = itertools.combinations(measured.tasks, 2)
    return {"-".join(pair): round(float(value), 4) for pair, value in zip(pairs, over_channels, strict=True)}


def _first(frames: Frames, count: int, batch: int) -> Iterator[Batch]:
    """The first ``count`` of them, as they are."""
    for start in range(0, count, batch):
        yield collate([frames[0, index] for index in range(start, min(start + batch, count))])


def _size(network: Network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _natural(path: str) -> list[tuple[int, str]]:
    """``model.10`` behind ``model.9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.split(".")]
