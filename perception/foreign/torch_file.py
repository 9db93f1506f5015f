"""A file of ``torch.save``, opened without trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from perception.errors import InputError
from perception.files import open_regular
from perception.foreign import archive, legacy
from perception.foreign.places import Place
from perception.foreign.tensors import TensorView


@dataclass(frozen=True)
class TorchFile:
    """What a file holds, its tensors not yet read.

    Attributes:
        path: of the file.
        content: plain containers, numbers, text, views of tensors, and records of everything else.
        places: where the bytes of each storage lie.
    """

    path: Path
    content: Any
    places: dict[str, Place]

    @classmethod
    def open(cls, path: Path) -> "TorchFile":
        """Read everything but the tensors.

        Raises:
            InputError: absent, of another kind, damaged, or with something in it that a checkpoint has no need of.
        """
        path = Path(path)
        try:
            with open_regular(path) as file:
                start = file.read(len(legacy.MAGIC))
            if start.startswith(archive.MAGIC):
                return cls(path, *archive.read_archive(path))
            if start == legacy.MAGIC:
                return cls(path, *legacy.read_legacy(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        raise InputError(f"{path}: not a file that torch.save wrote, or not downloaded whole")

    def tensors(self, views: Mapping[str, TensorView]) -> dict[str, Tensor]:
        """Read these tensors, each storage once; the caller bounds their sizes by choosing the views.

        Raises:
            InputError: the file is damaged there, or a tensor repeats its storage.
        """
        try:
            with self.path.open("rb") as file:
                keys = {view.storage.key for view in views.values()}
                storages = {key: bytearray(self.places[key].read(file)) for key in keys}
            return {name: view.read(storages[view.storage.key]) for name, view in views.items()}
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror or error})") from None
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None
