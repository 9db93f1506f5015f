import io
import random
import zipfile

import pytest
import torch

from perception.errors import InputError
from perception.foreign import TorchFile, find_weights
from perception.foreign.records import Name, StandIn


def checkpoint(network) -> dict:
    """What a training run saves: averaged weights among everything else."""
    optimizer = torch.optim.SGD(network.float().parameters(), lr=0.1, momentum=0.9)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return {
        "epoch": 199,
        "best_fitness": 0.5,
        "model": None,
        "ema": network.half(),
        "optimizer": optimizer.state_dict(),
        "scheduler": {"milestones": {1, 2}, "last": (3, 4.5)},
        "dtype": torch.bfloat16,
        "date": "2025-01-01",
    }


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_a_training_checkpoint(network, save, options):
    content = TorchFile.open(save(checkpoint(network), **options)).content
    assert (content["epoch"], content["best_fitness"], content["model"]) == (199, 0.5, None)
    assert content["scheduler"] == {"milestones": {1, 2}, "last": (3, 4.5)}
    assert content["dtype"] == Name("torch", "bfloat16")
    assert content["optimizer"]["param_groups"][0]["momentum"] == 0.9
    block = content["ema"].state["_modules"]["model"].state["_modules"]["0"]
    assert block.name.endswith("package_that_is_not_installed.Block")
    settings = block.state["args"]
    assert isinstance(settings, StandIn) and settings.state["imgsz"] == 640
    assert settings.state["device"].arguments == ("cpu",)


@pytest.mark.parametrize(
    "kind",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int16, torch.uint8, torch.bool],
)
def test_numbers_of_every_kind(save, kind):
    tensor = torch.arange(6).to(kind).view(2, 3)
    file = TorchFile.open(save({"a": tensor, "turned": tensor.t(), "part": tensor[1:, 1:], "one": tensor[0, 1]}))
    found = file.tensors(file.content)
    assert {value.dtype for value in found.values()} == {kind}
    for name, expected in {"a": tensor, "turned": tensor.t(), "part": tensor[1:, 1:], "one": tensor[0, 1]}.items():
        assert torch.equal(found[name], expected)


def test_a_shared_storage_is_read_once(save, monkeypatch):
    from perception.foreign.places import Place

    tensor = torch.arange(6.0)
    file = TorchFile.open(save({"a": tensor, "b": tensor[2:], "c": torch.nn.Parameter(tensor)}))
    reads = []
    read = Place.read
    monkeypatch.setattr(Place, "read", lambda place, source: reads.append(place) or read(place, source))
    found = file.tensors(file.content)
    assert len(reads) == 1
    assert torch.equal(found["b"], tensor[2:]) and torch.equal(found["c"], tensor)


def test_tensors_that_claim_more_than_there_is(save):
    file = TorchFile.open(save({"huge": torch.zeros(1).expand(1 << 20, 1 << 20)}))
    with pytest.raises(InputError, match=r"authors\.pt: refused: a tensor of .* repeats its storage"):
        file.tensors(file.content)


@pytest.mark.parametrize("data", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"\x80\x04N.", b"<html>"])
def test_other_files(tmp_path, data):
    path = tmp_path / "best.pt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"best\.pt: not a file that torch.save wrote"):
        TorchFile.open(path)


def test_no_file(tmp_path):
    for path in (tmp_path / "absent.pt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            TorchFile.open(path)


def test_a_file_that_vanishes(save):
    path = save({"a": torch.zeros(1)})
    file = TorchFile.open(path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        file.tensors(file.content)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The same bytes with a few changed, moved, repeated or lost."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        start = rng.randrange(len(changed))
        end = start + rng.choice((1, 2, 8, 40))
        other = rng.randrange(len(changed))
        changed[start:end] = rng.choice(
            (
                bytes([rng.randrange(256)]),
                b"",
                changed[start:end] * 2,
                changed[other : other + 30],
                rng.choice((b"\xff", b"\x00")) * (end - start),
            )
        )
        changed = changed or bytearray(b"x")
    return bytes(changed)


def with_mutated_pickle(data: bytes, rng: random.Random) -> bytes:
    """An archive that is whole around a pickle that is not."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, mutated(member, rng) if name.endswith("data.pkl") else member)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code", "ignore:invalid escape sequence")
@pytest.mark.parametrize(
    ("options", "mutate"),
    [({}, mutated), ({}, with_mutated_pickle), ({"_use_new_zipfile_serialization": False}, mutated)],
)
def test_damage_of_any_kind_is_one_clear_line(network, save, options, mutate):
    path = save(checkpoint(network), **options)
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(200):
        path.write_bytes(mutate(whole, rng))
        try:
            file = TorchFile.open(path)
            file.tensors(find_weights(file.content).views)
        except InputError as error:
            refused += 1
            assert str(error).isprintable() and len(str(error)) < 500
    assert refused > 100
