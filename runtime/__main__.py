"""``python -m runtime``: what a board needs, where only NumPy, OpenCV and an inference library are installed."""

import sys

from perception.command import main
from runtime import bench_command, cost_command, verify_command
from runtime.commands import register_evaluate, register_info, register_run

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m runtime",
            "Run and measure exported driving-perception networks on this machine.",
            (
                bench_command.register,
                cost_command.register,
                register_evaluate,
                verify_command.register,
                register_run,
                register_info,
            ),
        )
    )
