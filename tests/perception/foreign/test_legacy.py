import pickle
import struct

import pytest
import torch

from perception.errors import InputError
from perception.foreign import TorchFile
from perception.foreign.legacy import MAGIC

OLD = {"_use_new_zipfile_serialization": False}


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        TorchFile.open(path)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).isprintable()


@pytest.fixture
def written(save):
    return save({"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor([7], dtype=torch.int64)}, **OLD)


def pickles(*objects: object) -> bytes:
    return MAGIC + b"".join(pickle.dumps(value, 2) for value in objects)


def test_tensors_come_back(written):
    file = TorchFile.open(written)
    found = file.tensors(file.content)
    assert torch.equal(found["a"], torch.arange(6.0).view(2, 3).t())
    assert torch.equal(found["b"], torch.tensor([7]))


@pytest.mark.parametrize("missing", [1, 8, 20, 60, 300])
def test_truncated(written, missing):
    written.write_bytes(written.read_bytes()[:-missing])
    refused(written, "truncated|damaged")


def test_a_storage_of_another_length_than_claimed(written):
    data = written.read_bytes()
    assert data.count(struct.pack("<q", 6)) == 1
    for claim in (5, 7, -1, 1 << 60):
        written.write_bytes(data.replace(struct.pack("<q", 6), struct.pack("<q", claim)))
        refused(written, "shorter than claimed")


def test_one_storage_in_two_sizes(written):
    data = written.read_bytes()
    keys = sorted(pickle.loads(data[data.rindex(b"\x80\x02]") :]))
    first, second = (struct.pack("<I", len(key)) + key.encode() for key in keys)
    if len(first) != len(second):
        pytest.skip("torch names storages by their addresses, here of different lengths")
    written.write_bytes(data.replace(second, first, 1))
    refused(written, "two sizes or kinds|list of storages")


def test_other_protocols(tmp_path):
    path = tmp_path / "made.pt"
    path.write_bytes(pickles(1000, {"little_endian": True}, {}, []))
    refused(path, "save it again")
    path.write_bytes(pickles(1001, {"little_endian": False}, {}, []))
    refused(path, "big-endian")
    path.write_bytes(pickles(1001, {"little_endian": True}, {}, ["0"]))
    refused(path, "list of storages")
    path.write_bytes(pickles(1001, {"little_endian": True}, {}, []))
    assert TorchFile.open(path).content == {}


def test_nothing_but_the_object_has_storages(tmp_path):
    path = tmp_path / "made.pt"
    path.write_bytes(MAGIC + b"\x80\x02K\x01Q.")
    refused(path, "makes no sense")


def test_code_is_refused(tmp_path):
    path, marker = tmp_path / "made.pt", tmp_path / "marker"
    for place in range(4):
        parts = [pickle.dumps(value, 2) for value in (1001, {"little_endian": True}, {}, [])]
        parts[place] = b"cposix\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
        path.write_bytes(MAGIC + b"".join(parts))
        refused(path, r"uses posix\.system")
    assert not marker.exists()
