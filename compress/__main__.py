"""``python -m compress``: the stages of this room where only it is installed."""

import sys

from compress.commands import register_coarsen, register_compress, register_distill, register_prune, register_train
from perception.command import main

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m compress",
            "Train, prune and distill driving-perception networks.",
            [register_train, register_prune, register_coarsen, register_distill, register_compress],
        )
    )
