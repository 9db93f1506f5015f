"""``panoedge sensitivity``: what each task lives on, as a table and a heat map."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perception.files import writable_folder, write_json, write_text

# Points of a score that are shown in the strongest colour.
_SCALE = 20.0


def register(subparsers: argparse._SubParsersAction) -> None:
    """``sensitivity``: each room against each task."""
    parser = subparsers.add_parser(
        "sensitivity",
        help="show what each task loses when one part of a network is thinned",
        description="Take the least important channels out of one room of the network at a time, measure batch norms\n"
        "again, and measure every task. No training; a few hundred frames.",
        epilog="example:\n  %(prog)s teacher.safetensors --data scenes --out runs/sensitivity",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="data set: train to choose channels, val to judge")
    parser.add_argument("--out", type=Path, help="folder for sensitivity.json, .md and .svg")
    parser.add_argument("--ratios", nargs="+", type=float, default=(0.25, 0.5), help="shares of channels to take")
    parser.add_argument("--depth", type=int, default=2, help="parts of a layer's path that name its room; more: finer")
    parser.add_argument("--frames", type=int, default=200, help="of the validation split")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from compress.sensitivity import SensitivitySettings, sensitivity

    if arguments.out:
        writable_folder(arguments.out)
    given = {name: getattr(arguments, name) for name in ("depth", "frames", "device")}
    found = sensitivity(arguments.model, arguments.data, SensitivitySettings(tuple(arguments.ratios), **given))
    page = markdown(found)
    print(page)
    if arguments.out:
        write_json(arguments.out / "sensitivity.json", found)
        write_text(arguments.out / "sensitivity.md", f"{page}\n\n![Points lost, by room](sensitivity.svg)\n")
        write_text(arguments.out / "sensitivity.svg", picture(found))


def markdown(found: Mapping[str, Any]) -> str:
    """A row a room and ratio: parameters left, points lost of each score, loss relative to the whole network's.

    Args:
        found: as :func:`compress.sensitivity.sensitivity` returns it.
    """
    whole = found["whole"]
    pairs = list(next(iter(found["rooms"].values()))["conflict"])
    heads = ["room", "taken", "parameters left %", *(f"{name} lost" for name in whole["score"])]
    heads += [*(f"{task} loss ×" for task in whole["loss"]), *(f"conflict {pair}" for pair in pairs)]
    lines = [heads, ["---"] * len(heads)]
    for room, record in found["rooms"].items():
        conflict = [f"{value:.3f}" for value in record["conflict"].values()]
        for ratio, thinned in record["thinned"].items():
            lost = [f"{points:.1f}" for points in points_lost(whole, thinned).values()]
            losses = [f"{thinned['loss'][task] / loss:.2f}" if loss else "" for task, loss in whole["loss"].items()]
            lines.append([room, f"{100 * float(ratio):g} %", f"{100 * thinned['kept']:.1f}", *lost, *losses, *conflict])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(found: Mapping[str, Any]) -> str:
    """Points lost as a heat map: a row a room, a column a score and ratio."""
    from panoedge.charts import heat_map

    whole, rooms = found["whole"], found["rooms"]
    ratios = list(next(iter(rooms.values()))["thinned"])
    names = list(whole["score"])
    columns = [(*name.split("_"), f"{100 * float(ratio):g} %") for name in names for ratio in ratios]
    lost = {
        room: {ratio: points_lost(whole, thinned) for ratio, thinned in record["thinned"].items()}
        for room, record in rooms.items()
    }
    values = [[lost[room][ratio][name] for name in names for ratio in ratios] for room in rooms]
    return heat_map(list(rooms), columns, values, _SCALE)


def points_lost(whole: Mapping[str, Any], thinned: Mapping[str, Any]) -> dict[str, float]:
    """Percentage points of each score."""
    return {name: 100 * (value - thinned["score"][name]) for name, value in whole["score"].items()}
