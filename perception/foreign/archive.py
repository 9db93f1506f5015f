"""The zip archive that ``torch.save`` writes: where its members lie, after distrusting its table of contents."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

from perception.errors import InputError
from perception.foreign.places import Place
from perception.foreign.records import shown
from perception.foreign.tensors import Storage, storage
from perception.foreign.unpickle import PICKLE_BYTES, unpickle

MAGIC = b"PK\x03\x04"
# Room for forty thousand tensors. A longer table is cut, and so refused.
_TABLE_BYTES = 4 << 20
_LOCAL_HEADER = struct.Struct("<4s22sHH")


def read_archive(path: Path) -> tuple[Any, dict[str, Place]]:
    """The object in an archive, and where the bytes of each storage lie.

    Raises:
        InputError: no archive of ``torch.save``, damaged, or built to deceive.
    """
    members = _checkpoint_members(_members(path))
    with path.open("rb") as file:
        if "byteorder" in members and members["byteorder"].read(file) != b"little":
            raise InputError("written on a big-endian machine, which is not read; save it again on another")
        pickle = members["data.pkl"].read(file)
    places = {name.removeprefix("data/"): place for name, place in members.items() if name.startswith("data/")}

    def held(identity: object) -> Storage:
        claimed = storage(identity)
        if claimed.key not in places or claimed.nbytes > places[claimed.key].nbytes:
            raise InputError(f"damaged: storage {shown(claimed.key)} is absent or shorter than claimed")
        return claimed

    return unpickle(io.BytesIO(pickle), held), places


class _FrugalReader(io.BufferedReader):
    """``zipfile`` reads a table of contents of any size at once; this gives it no more than is reasonable."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(_TABLE_BYTES if size is None or size < 0 else min(size, _TABLE_BYTES))


def _checkpoint_members(members: dict[str, Place]) -> dict[str, Place]:
    """The members by their names below the archive's one folder."""
    roots = {name.partition("/")[0] for name in members}
    inside = {name.partition("/")[2]: place for name, place in members.items()}
    if len(roots) != 1 or "data.pkl" not in inside:
        raise InputError("a zip archive, but not one that torch.save wrote")
    if any(name.startswith("code/") for name in inside):
        raise InputError("a TorchScript program, not a checkpoint; save the state_dict of its model with torch.save")
    if inside["data.pkl"].nbytes > PICKLE_BYTES:
        raise InputError(f"refused: its pickle is larger than {PICKLE_BYTES >> 20} MiB, far beyond any checkpoint")
    return inside


def _members(path: Path) -> dict[str, Place]:
    """Every member's place, by name; no two share a name or a byte, and none is compressed or named outside."""
    members: dict[str, Place] = {}
    try:
        with _FrugalReader(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            end = 0
            for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
                name = entry.orig_filename
                _check_entry(entry, name in members)
                if entry.header_offset < end:
                    raise InputError(f"refused: member {shown(name)} of its zip archive overlaps another")
                place = Place(_data_start(file, entry), entry.file_size, entry.CRC)
                end = place.start + place.nbytes
                members[name] = place
            if end > archive.start_dir:
                raise InputError("damaged: its zip archive claims more than the file holds")
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error):
        raise InputError("damaged or truncated: the table of contents of its zip archive is wrong") from None
    return members


def _check_entry(entry: zipfile.ZipInfo, known: bool) -> None:
    """Raise :class:`InputError` for what ``torch.save`` never writes and tricks are made of."""
    name = entry.orig_filename
    if known:
        raise InputError(f"refused: its zip archive has two members {shown(name)}")
    if "\\" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise InputError(f"refused: its zip archive has a member named {shown(name)}")
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise InputError(f"refused: member {shown(name)} of its zip archive is compressed, which torch.save never does")


def _data_start(file: io.BufferedReader, entry: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin: behind the second header, which must tell the same name as the first."""
    file.seek(entry.header_offset)
    magic, _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    name = file.read(name_length).decode("utf-8" if entry.flag_bits & 0x800 else "cp437")
    if magic != MAGIC or name != entry.orig_filename:
        raise ValueError
    return entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length
