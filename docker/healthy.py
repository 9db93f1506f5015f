"""Whether this container can run engines: exit status 0 if so, else 1 and one line that says what it lacks.

python /src/healthy.py
"""

import importlib
import sys

from perception.gpu import find_gpu


def fault() -> str | None:
    """What keeps engines from running here; None where nothing does."""
    # The driver's libraries, which both need, come into a container with its GPU.
    if find_gpu() is None:
        return "no NVIDIA GPU to be seen: run with --runtime nvidia, as a member of the groups that own /dev/nv*"
    for library in ("tensorrt", "pycuda.driver"):
        try:
            importlib.import_module(library)
        except ImportError as error:
            return f"{library} cannot be imported: {error}"
    return None


if __name__ == "__main__":
    sys.exit(fault())
