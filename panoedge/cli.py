"""``panoedge``: every stage of the road from a checkpoint to a board, one subcommand each."""

from collections.abc import Sequence

from compress.commands import register_coarsen, register_compress, register_distill, register_prune, register_train
from export.commands import register_export
from panoedge import ablate, cost_command, data_command, demo, estimate, import_command, report, sensitivity_command
from panoedge.model_commands import register_evaluate, register_info, register_verify
from perception import command
from runtime import bench_command
from runtime.commands import register_run

DESCRIPTION = "Make a driving-perception network smaller without letting one task pay, and prove it on a board."
# In the order of the road.
REGISTERS: tuple[command.Register, ...] = (
    demo.register,
    data_command.register,
    import_command.register,
    register_train,
    register_prune,
    register_coarsen,
    register_distill,
    register_compress,
    sensitivity_command.register,
    ablate.register,
    register_info,
    register_evaluate,
    register_export,
    estimate.register,
    cost_command.register,
    register_verify,
    bench_command.register,
    register_run,
    report.register,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; see :func:`perception.command.main` for what it returns."""
    return command.main("panoedge", DESCRIPTION, REGISTERS, argv)
