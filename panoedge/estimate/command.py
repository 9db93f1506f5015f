"""The ``estimate`` command: how fast a network might be on a board that one does not own yet."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panoedge.estimate.boards import BOARDS, board
from perception.files import check_writable, write_json

if TYPE_CHECKING:
    from panoedge.estimate.boards import Board
    from panoedge.estimate.graph import Kernel
    from panoedge.estimate.roofline import Estimate

ASSUMPTIONS = (
    "FP16 through TensorRT, whatever precision the file has; GPU only, one stream",
    "clocks locked at the mode's highest, nothing else running, no throttling",
    "the network alone: no reading, pre-processing, copies or post-processing",
    "one launch for each product and what can be fused into it; data sheet bandwidth, caches left out",
    "constants fitted on published detectors at 640x640; other kinds of network and sizes may lie outside of the band",
)


def register(subparsers: argparse._SubParsersAction) -> None:
    """``estimate``: a network's time on a board, from data sheets."""
    parser = subparsers.add_parser(
        "estimate",
        help="guess how fast an exported network would be on a Jetson that is not at hand",
        description="Estimate the time of an ONNX file on a Jetson from its operators and the board's data sheet.\n"
        "An estimate with a stated error band, for choosing a board. It passes no gate: only bench does, on the board.",
        epilog="example:\n  %(prog)s student.onnx --device orin-nano",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="exported network (.onnx)")
    parser.add_argument("--device", choices=tuple(BOARDS), required=True, help="which board")
    modes = "; ".join(f"{device}: {', '.join(known.mode for known in boards)}" for device, boards in BOARDS.items())
    parser.add_argument("--mode", help=f"power mode (default: the first of those known: {modes})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the estimate here")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from panoedge.estimate.graph import kernels
    from panoedge.estimate.roofline import estimate

    if arguments.json:
        check_writable(arguments.json)
    chosen = board(arguments.device, arguments.mode)
    launches = kernels(arguments.model)
    guess = estimate(launches, chosen)
    if arguments.json:
        write_json(arguments.json, _record(arguments.model, chosen, launches, guess))
    print(_text(arguments.model, chosen, launches, guess))


def _record(model: Path, board: "Board", kernels: "list[Kernel]", guess: "Estimate") -> dict[str, Any]:
    """Under a schema of its own, so that nothing takes it for a report of measurements."""
    return {
        "schema": "panoedge.estimate/1",
        "file": model.name,
        "board": board.name,
        "mode": board.mode,
        "ms": {"estimate": guess.total, "lowest": guess.lowest, "highest": guess.highest},
        "parts_ms": {"arithmetic": guess.arithmetic, "launching": guess.launching, "memory": guess.memory},
        "launches": len(kernels),
        "macs": sum(kernel.macs for kernel in kernels),
        "bytes": sum(kernel.bytes for kernel in kernels),
        "assumptions": list(ASSUMPTIONS),
    }


def _text(model: Path, board: "Board", kernels: "list[Kernel]", guess: "Estimate") -> str:
    macs, traffic = (sum(getattr(kernel, part) for kernel in kernels) for part in ("macs", "bytes"))
    lines = [
        f"{model.name} on {board.name}, {board.mode}: an ESTIMATE, not a measurement",
        "",
        f"  network    {guess.total:.1f} ms ({guess.lowest:.1f} to {guess.highest:.1f}), "
        f"{1000 / guess.total:.0f} FPS ({1000 / guess.highest:.0f} to {1000 / guess.lowest:.0f})",
        f"  of that    {guess.arithmetic:.1f} ms arithmetic, {guess.launching:.1f} launching, "
        f"{guess.memory:.1f} waiting for memory",
        f"  it does    {macs / 1e9:.2f} G multiply-accumulates, {traffic / 1e6:.0f} MB of memory traffic, "
        f"{len(kernels)} launches",
        "",
        "It assumes:",
        *(f"  - {assumption}" for assumption in ASSUMPTIONS),
        f"The band, {guess.band:.0%} either way, is the worst miss on published figures left out of the fit.",
    ]
    return "\n".join(lines)
