"""The ``ablate`` command."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from compress.names import COST_KINDS
from panoedge.ablate.settings import CONTENDERS, METHODS, RECOVERIES, AblationSettings, quick


def register(subparsers: argparse._SubParsersAction) -> None:
    """``ablate``: what each part of the method is worth."""
    sizes = AblationSettings()
    parser = subparsers.add_parser(
        "ablate",
        help="compare ways to choose channels and to recover, over budgets and seeds",
        description="Prune a teacher by several methods to several budgets, train some of the results again, measure\n"
        "accuracy, parameters, MACs and latency of each, and compare them pair by pair. Stop and start it at will:\n"
        "what is in the folder is not measured again.",
        epilog="examples:\n"
        "  %(prog)s teacher.safetensors --data scenes --out runs/ablation --quick\n"
        "  %(prog)s teacher.safetensors --data scenes --out runs/ablation --methods safe gcp-signed gcp-tie",
    )
    parser.add_argument("model", type=Path, metavar="FILE", help="checkpoint of the teacher")
    parser.add_argument("--data", type=Path, required=True, help="data set: train to choose and recover, val to judge")
    parser.add_argument("--out", type=Path, required=True, help="folder for cells, networks, tables and plots")
    parser.add_argument("--quick", action="store_true", help="the small version: ten minutes instead of hours")
    parser.add_argument(
        "--budget-kind", dest="kind", choices=COST_KINDS, default=sizes.kind, help="what budgets are of"
    )
    parser.add_argument("--costs", metavar="FILE", help="what panoedge cost measured; budgets of latency need it")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=sizes.device, help="where to compute")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), metavar="NAME", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--rounds", type=int, help="of every pruning")
    parser.add_argument("--round-to", type=int, help="widths stay multiples of this")
    parser.add_argument("--calibration", type=int, help="training images each measurement of importance looks at")
    parser.add_argument(
        "--contenders",
        nargs="*",
        choices=tuple(METHODS),
        metavar="NAME",
        help=f"those trained again (default: {' and '.join(CONTENDERS)}, of the methods)",
    )
    parser.add_argument("--shares", nargs="+", type=float, metavar="SHARE", help="budgets")
    parser.add_argument(
        "--recoveries", nargs="+", choices=tuple(RECOVERIES), metavar="NAME", help=f"of {', '.join(RECOVERIES)}"
    )
    parser.add_argument("--recovery-shares", nargs="+", type=float, metavar="SHARE", help="budgets to recover from")
    parser.add_argument("--seeds", type=int, help="repetitions")
    parser.add_argument("--epochs", type=int, help="of each recovery")
    parser.add_argument("--frames", type=int, help="of the validation split that each cell looks at")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from panoedge.ablate.run import ablate

    # An option that is given changes the setting of its name.
    given = {field.name: getattr(arguments, field.name, None) for field in fields(AblationSettings)}
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value is not None
    }
    settings = replace(quick() if arguments.quick else AblationSettings(), **changes)
    print(ablate(arguments.model, arguments.data, settings, arguments.out))
