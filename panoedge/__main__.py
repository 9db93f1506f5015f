"""``python -m panoedge``: the same as ``panoedge``."""

import sys

from panoedge.cli import main

if __name__ == "__main__":
    sys.exit(main())
