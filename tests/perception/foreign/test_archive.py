"""Archives built to deceive. Each has a pickle that would give three floats, were it read."""

import io
import re
import struct
import zipfile

import pytest
import torch

from perception.errors import InputError
from perception.foreign import TorchFile

PICKLE = (
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x03tQK\x00K\x03\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR."
)
FLOATS = struct.pack("<3f", 1, 2, 3)


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        file = TorchFile.open(path)
        file.tensors({"it": file.content})
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).isprintable()


def raw(path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED):
    """An archive of exactly these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def honest(archive):
    return archive(PICKLE, {"data/0": FLOATS, "byteorder": b"little"})


def patched(path, old: bytes, new: bytes, which: int = -1):
    """Replace one occurrence of bytes."""
    data = path.read_bytes()
    start = [match.start() for match in re.finditer(re.escape(old), data)][which]
    path.write_bytes(data[:start] + new + data[start + len(old) :])
    return path


def test_the_honest_one_is_read(honest):
    file = TorchFile.open(honest)
    assert torch.equal(file.tensors({"it": file.content})["it"], torch.tensor([1.0, 2, 3]))


@pytest.mark.parametrize("name", ["/etc/passwd", "../data.pkl", "archive/../../x", "archive//x", "a\\b", "archive/./x"])
def test_names_that_lead_out(tmp_path, name):
    members = ("archive/data.pkl", PICKLE), ("archive/data/0", FLOATS), (name, b"")
    refused(raw(tmp_path / "made.pt", *members), "refused: its zip archive has a member named")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path):
    members = ("archive/data.pkl", PICKLE), ("archive/data/0", FLOATS), ("archive/data.pkl", b"N.")
    refused(raw(tmp_path / "made.pt", *members), "two members archive/data.pkl")


def test_a_bomb(tmp_path):
    members = ("archive/data.pkl", PICKLE), ("archive/data/0", bytes(1 << 24))
    path = raw(tmp_path / "made.pt", *members, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    refused(path, "compressed, which torch.save never does")


@pytest.mark.parametrize("size", [13, 1 << 20, 0xFFFFFFF0])
def test_a_member_larger_than_the_file(honest, size):
    """The size stands in the table twice: as stored and as unpacked."""
    twelve = struct.pack("<2I", 12, 12)
    refused(patched(honest, twelve, struct.pack("<2I", size, size)), "damaged|overlaps")


def test_members_that_share_bytes(honest):
    """The second entry of the table points at the first one's bytes."""
    data = honest.read_bytes()
    entries = [match.start() for match in re.finditer(b"PK\x01\x02", data)]
    forged = bytearray(data)
    forged[entries[2] + 42 : entries[2] + 46] = data[entries[0] + 42 : entries[0] + 46]
    honest.write_bytes(forged)
    refused(honest, "damaged|overlaps")


def test_two_members_of_one_name_and_place(tmp_path):
    """A member inside another one's bytes, which is how the densest bombs are made."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("archive/data/0", FLOATS)
    quoted = inner.getvalue()[: 30 + len("archive/data/0") + len(FLOATS)]
    path = raw(tmp_path / "made.pt", ("archive/data.pkl", PICKLE), ("archive/pad", quoted), ("archive/data/0", FLOATS))
    data = bytearray(path.read_bytes())
    entry = [match.start() for match in re.finditer(b"PK\x01\x02", data)][2]
    struct.pack_into("<I", data, entry + 42, data.index(quoted))
    path.write_bytes(data)
    refused(path, "overlaps another|table of contents")


def test_the_two_headers_of_a_member_differ(honest):
    refused(patched(honest, b"archive/data/0", b"archive/data/1", 0), "table of contents")


def test_wrong_checksum(honest):
    refused(patched(honest, FLOATS, FLOATS[::-1]), "checksum")
    refused(patched(honest, b"OrderedDict", b"OrderedDick"), "checksum")


def test_truncated(honest):
    data = honest.read_bytes()
    for length in (3, 4, 30, 200, len(data) - 30, len(data) - 1):
        honest.write_bytes(data[:length])
        refused(honest, "truncated|not downloaded whole")


def test_a_table_of_contents_without_end(honest, monkeypatch):
    monkeypatch.setattr("perception.foreign.archive._TABLE_BYTES", 64)
    refused(honest, "table of contents")


def test_storages_that_are_absent_or_short(archive):
    refused(archive(PICKLE), "storage 0 is absent or shorter")
    refused(archive(PICKLE, {"data/0": FLOATS[:-1]}), "storage 0 is absent or shorter")
    escape = PICKLE.replace(b"X\x01\x00\x00\x000", b"X\x0b\x00\x00\x00../data.pkl")
    refused(archive(escape, {"data/0": FLOATS}), "storage ../data.pkl is absent")


@pytest.mark.parametrize("order", [b"big", b"", b"littl"])
def test_big_endian(archive, order):
    refused(archive(PICKLE, {"data/0": FLOATS, "byteorder": order}), "big-endian")


def test_a_pickle_beyond_reason(archive, monkeypatch):
    monkeypatch.setattr("perception.foreign.archive.PICKLE_BYTES", len(PICKLE) - 1)
    refused(archive(PICKLE, {"data/0": FLOATS}), "larger than")


def test_other_archives(tmp_path, archive):
    path = tmp_path / "made.pt"
    refused(raw(path, ("word/document.xml", b"<x/>")), "not one that torch.save wrote")
    refused(raw(path, ("a/data.pkl", PICKLE), ("b/data/0", FLOATS)), "not one that torch.save wrote")
    refused(archive(PICKLE, {"code/__torch__.py": b"", "data/0": FLOATS}), "TorchScript")


def test_any_folder_name_will_do(archive):
    assert TorchFile.open(archive(PICKLE, {"data/0": FLOATS}, root="best")).content.size == (3,)
