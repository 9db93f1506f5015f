"""How long each pruned network takes in ONNX Runtime on this machine, against the teacher measured next to it."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from export.onnx_writer import export_onnx
from perception.errors import MALFORMED, InputError, brief
from perception.fields import duration
from perception.files import read_json, sha256, write_json
from perception.progress import Progress
from perception.spec import DEPLOYED_FORMAT
from runtime.backends import open_backend
from runtime.timing import Effort, always, measure, ratio, stopwatch

# So many networks are open at a time, the teacher among them; more would only take memory.
_TOGETHER = 12
EFFORT = Effort(seconds=3, count=40, warm_up=3, slices=10)


def latencies(teacher: Path, networks: Iterable[Path], out: Path, effort: Effort = EFFORT) -> dict[Path, float]:
    """Median latency of each checkpoint of ``networks`` as a share of the teacher's.

    Networks take turns, slice by slice, and each ratio is one of neighbours in time. The networks' parameters do not
    matter, so of a recovered network that of the pruned one holds.

    Args:
        teacher: checkpoint.
        networks: checkpoints.
        out: folder for ONNX files, which are kept, and for ``latency.json``, whose networks are not measured again.
        effort: how long to measure each.
    """
    paths = list(networks)
    record = out / "latency.json"
    known = known_shares(record) if record.exists() else {}
    new = [path for path in paths if path.name not in known]
    with Progress("exporting and timing", len(new)) as progress:
        for start in range(0, len(new), _TOGETHER - 1):
            group = new[start : start + _TOGETHER - 1]
            shares = _shares([_exported(path, out) for path in (teacher, *group)], effort)
            known |= {path.name: share for path, share in zip(group, shares, strict=True)}
            write_json(record, known)
            progress.step(len(group))
    return {path: known[path.name] for path in paths}


def known_shares(record: Path) -> dict[str, float]:
    """The shares in ``record`` by file name of the network; raises :class:`InputError` where it is not what was
    written here."""
    known = read_json(record)
    try:
        return {name: duration(share) for name, share in known.items()}
    except MALFORMED as error:
        raise InputError(f"{record}: malformed ({brief(error)}); remove it, and times are measured again") from None


def _exported(path: Path, out: Path) -> Path:
    file = out / "onnx" / f"{path.stem}.{sha256(path)[:10]}.v{DEPLOYED_FORMAT}.onnx"
    if not file.exists():
        # Its speed is asked for, and says nothing of what it sees: no need to compare that with the network's.
        export_onnx(path, file, agree=lambda network, written: None)
    return file


def _shares(files: list[Path], effort: Effort) -> list[float]:
    """Of all but the first, against the first."""
    with ExitStack() as stack:
        backends = [stack.enter_context(open_backend(file, "cpu")) for file in files]
        pictures = [np.zeros((backend.batch, *backend.info.spec.size, 3), np.uint8) for backend in backends]
        pairs = zip(backends, pictures, strict=True)
        courses, _ = measure([always(stopwatch(backend.bound(images))) for backend, images in pairs], effort)
    first, *others = courses
    return [1 / faster["median"] for course in others if (faster := ratio(course, first))]
