"""``python -m export``: the stages of this room where only it is installed."""

import sys

from export.commands import register_engine, register_onnx
from perception.command import main

if __name__ == "__main__":
    sys.exit(
        main(
            "python -m export",
            "Write driving-perception networks as files that boards run.",
            [register_onnx, register_engine],
        )
    )
