"""``panoedge data``: make a synthetic data set, or look for faults in one.

Examples:
    panoedge data synthesize runs/synthetic --train 2000 --val 200
    panoedge data check bdd100k --json faults.json
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from perception.errors import GateFailed, one_line
from perception.files import check_writable, write_json
from perception.tasks import MASK_TASKS

if TYPE_CHECKING:
    from perception.data.check import CheckResult

_SHOWN_PER_KIND = 5


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add ``data`` with its two actions."""
    data = subparsers.add_parser("data", help="make a synthetic data set, or check one", description=__doc__)
    actions = data.add_subparsers(metavar="ACTION", required=True)

    synthesize = actions.add_parser("synthesize", help="write labelled synthetic frames in the YOLOP layout")
    synthesize.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    synthesize.add_argument("--train", type=int, required=True, metavar="N", help="frames of the train split")
    synthesize.add_argument("--val", type=int, required=True, metavar="N", help="frames of the val split")
    synthesize.add_argument("--seed", type=int, default=0, help="the same seed gives the same frames")
    synthesize.add_argument("--size", type=_picture_size, default="640x384", metavar="WxH", help="width x height")
    synthesize.add_argument("--workers", type=int, metavar="N", help="processes that draw (default: one a core)")
    synthesize.set_defaults(run=_synthesize)

    check = actions.add_parser("check", help="list every fault of a data set; exit status 1 if there are any")
    check.add_argument("data", type=Path, metavar="DIR", help="data set in the YOLOP, RMT-PPAD or BDD100K layout")
    check.add_argument("--json", type=Path, metavar="FILE", help="write all faults and figures to this file")
    check.set_defaults(run=_check)


def _synthesize(arguments: argparse.Namespace) -> None:
    from perception import synthetic

    synthetic.write(arguments.out, arguments.train, arguments.val, arguments.seed, arguments.size, arguments.workers)


def _check(arguments: argparse.Namespace) -> None:
    from perception.data.check import check

    if arguments.json:
        check_writable(arguments.json)
    result = check(arguments.data)
    if arguments.json:
        write_json(arguments.json, result.to_json())
    print(f"{result.root}: {result.layout} layout\n")
    print(_summary_table(result))
    print()
    for kind, count in result.counts.items():
        print(f"{kind}: {count}")
        faults = [fault for fault in result.faults if fault.kind == kind]
        for fault in faults[:_SHOWN_PER_KIND]:
            print(one_line(f"  {fault.file}: {fault.detail}"))
        if count > _SHOWN_PER_KIND:
            print(f"  ... and {count - _SHOWN_PER_KIND} more")
    if result.faults:
        raise GateFailed(f"{arguments.data}: {len(result.faults)} faults, 0 allowed")
    print("no faults")


def _summary_table(result: "CheckResult") -> str:
    """One row a split, columns aligned."""
    rows = [["split", "frames", "vehicles", "per frame", *(f"{task} %" for task in MASK_TASKS), "sizes (WxH)"]]
    for split in result.splits:
        shares = [split.shares[task] for task in MASK_TASKS]
        sizes = ", ".join(f"{size}: {frames}" for size, frames in split.sizes.items())
        rows.append(
            [
                split.split if split.labelled else f"{split.split} (no labels)",
                str(split.frames),
                str(split.boxes),
                f"{split.boxes / split.frames:.2f}" if split.frames else "-",
                *("-" if share is None else f"{100 * share:.2f}" for share in shares),
                sizes,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _picture_size(text: str) -> tuple[int, int]:
    """``"640x384"`` (width x height, as pictures are usually given) to ``(384, 640)``."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT, such as 640x384") from None
    return height, width
