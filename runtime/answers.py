"""Pictures and what a network answered to them in one file, for machines on which that network does not run.

An ``.npz`` archive of plain arrays: ``pictures``, uint8 ``[N, H, W, 3]`` at the size of the network's input, the
outputs of the ONNX file by name, and ``info``, what that file says of itself, as JSON. Nothing in it is executed.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perception.errors import MALFORMED, InputError, brief
from perception.files import atomic
from perception.pictures import batches
from perception.spec import Deployed
from perception.tasks import DETECTION, MASK_TASKS, Outputs, output_names
from runtime.backends import Model

SUFFIX = ".npz"
_BROKEN = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, *MALFORMED)


def save_answers(path: Path, model: Model, pictures: Sequence[np.ndarray]) -> None:
    """Write ``pictures``, uint8 ``[H, W, 3]`` at the size of the input, with what ``model`` answers to them.

    Raises:
        InputError: ``path`` cannot be written.
    """
    names = output_names(model.info.spec.tasks)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for batch, count in batches(pictures, model.info.spec, model.batch):
        answered = model.infer(batch)
        for name in names:
            parts[name].append(getattr(answered, name)[:count])
    arrays = {name: np.concatenate(of_all) for name, of_all in parts.items()}
    info = np.frombuffer(json.dumps(model.info.to_json()).encode(), np.uint8)
    with atomic(path) as temporary:
        np.savez_compressed(temporary, pictures=np.stack(pictures), info=info, **arrays)  # type: ignore[arg-type]


class Answers:
    """What :func:`save_answers` wrote, as a :class:`runtime.backends.Model` that knows nothing else.

    Attributes:
        pictures: uint8 ``[N, H, W, 3]``.
    """

    kind = "answers"
    batch = 1

    def __init__(self, path: Path):
        """Raises :class:`InputError` where the file is absent or not one of these."""
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{path}: no such file")
        try:
            # Opened here, because np.load leaves a broken archive open.
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            self.info = Deployed.from_json(json.loads(arrays.pop("info").tobytes()))
            self.pictures = arrays.pop("pictures")
            self._outputs = {name: arrays[name] for name in output_names(self.info.spec.tasks)}
            _check(self.info, self.pictures, self._outputs)
        except _BROKEN as error:
            raise InputError(f"{path}: no answers that panoedge verify --record wrote ({brief(str(error))})") from None
        self._places = {picture.tobytes(): place for place, picture in enumerate(self.pictures)}

    def infer(self, images: np.ndarray) -> Outputs:
        """The answers to some of its pictures, uint8 ``[n, H, W, 3]``."""
        places = [self._places[image.tobytes()] for image in images]
        return Outputs.of(self.info.spec.tasks, (array[places] for array in self._outputs.values()))

    def close(self) -> None:
        """Nothing outlives the object."""

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check(info: Deployed, pictures: np.ndarray, outputs: dict[str, np.ndarray]) -> None:
    """Raise ValueError where arrays are not of the kinds and shapes that ``info`` promises."""
    height, width = info.spec.size
    count = len(pictures)
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {"pictures": (np.uint8, (count, height, width, 3))}
    if DETECTION in info.spec.tasks:
        candidates = outputs["scores"].size // max(1, count)
        shapes |= {"boxes": (np.float32, (count, candidates, 4)), "scores": (np.float32, (count, candidates))}
    for task in (task for task in MASK_TASKS if task in info.spec.tasks):
        shapes |= {task: (np.uint8, (count, height, width)), f"{task}_mean": (np.float32, (count,))}
    for name, array in {"pictures": pictures, **outputs}.items():
        kind, shape = shapes[name]
        if not count or array.dtype != kind or array.shape != shape:
            raise ValueError(f"{name}: {array.dtype} {array.shape}")
