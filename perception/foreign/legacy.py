"""The format of ``torch.save`` before torch 1.6: pickles one after another, then the bytes of the storages."""

import io
import struct
from pathlib import Path
from typing import Any

from perception.errors import InputError
from perception.foreign.places import Place
from perception.foreign.tensors import Storage, storage
from perception.foreign.unpickle import PICKLE_BYTES, unpickle

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_PROTOCOL = 1001
_COUNT = struct.Struct("<q")


def read_legacy(path: Path) -> tuple[Any, dict[str, Place]]:
    """The object in a file of the older format, and where the bytes of each storage lie.

    Raises:
        InputError: damaged, or built to deceive.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = io.BytesIO(file.read(PICKLE_BYTES))
        head.seek(len(MAGIC))
        storages: dict[str, Storage] = {}
        if unpickle(head, _nothing) != _PROTOCOL:
            raise InputError("of a torch format that is not read; save it again with torch 1.6 or newer")
        system = unpickle(head, _nothing)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise InputError("written on a big-endian machine, which is not read; save it again on another")
        content = unpickle(head, lambda identity: _remembered(identity, storages))
        keys = unpickle(head, _nothing)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != set(storages):
            raise InputError("damaged: its list of storages is not that of its tensors")
        places = {}
        position = head.tell()
        for key in keys:
            count = _COUNT.unpack(Place(position, _COUNT.size).read(file))[0]
            place = Place(position + _COUNT.size, storages[key].nbytes)
            position = sum(place[:2])
            if count != storages[key].elements or position > size:
                raise InputError("damaged or truncated: a storage is shorter than claimed")
            places[key] = place
    return content, places


def _nothing(identity: object) -> Any:
    raise TypeError("no persistent identities outside the object itself")


def _remembered(identity: object, storages: dict[str, Storage]) -> Any:
    """A storage, known by now; of a class that comes with its source text, the class."""
    if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
        return identity[1]
    claimed = storage(identity)
    if storages.setdefault(claimed.key, claimed) != claimed:
        raise InputError("refused: a storage is claimed in two sizes or kinds")
    return claimed
