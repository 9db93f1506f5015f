"""``python -m runtime``: what a board needs, where only NumPy, OpenCV and an inference library are installed."""

import sys

from perception.command import main
from runtime.commands import register_bench, register_evaluate, register_info, register_run

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m runtime",
            "Run and measure exported driving-perception networks on this machine.",
            (register_bench, register_evaluate, register_run, register_info),
        )
    )
