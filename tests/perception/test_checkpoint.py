import json
import math
import pickle
import struct
import subprocess
import sys
import threading

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from compress.groups import ChannelGroups
from perception.checkpoint import FORMAT, layer_widths, load, read_header, save, set_layer_widths
from perception.errors import InputError
from perception.networks import register
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP
from perception.spec import InputSpec

HISTORY = [{"stage": "train", "seconds": 3}, {"stage": "prune", "kept": {"params": 0.5}}]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return YOLOP(width=0.25, size=(64, 96), resize="stretch").eval()


@pytest.fixture
def written(tmp_path, network):
    path = tmp_path / "net.safetensors"
    save(path, network, HISTORY)
    return path


def rewrite(path, header=None, tensors=None):
    """Change top-level entries of the header, or the tensors, by functions on the dictionaries."""
    with safe_open(path, framework="pt") as file:
        metadata = json.loads(file.metadata()["panoedge"])
    weights = load_file(path)
    if header:
        header(metadata)
    if tensors:
        tensors(weights)
    save_file(weights, path, {"panoedge": json.dumps(metadata)})


def refused(path, match="damaged checkpoint"):
    with pytest.raises(InputError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def answer(network):
    with torch.no_grad():
        raw = network(torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    return [*raw["detection"], raw["drivable"], raw["lane"]]


def test_round_trip_is_exact(written, network):
    network.spec = InputSpec((64, 96), "stretch")
    loaded = load(written)
    assert loaded.history == HISTORY
    assert not loaded.network.training
    assert loaded.network.config == network.config and loaded.network.spec == network.spec
    mine, other = network.state_dict(), loaded.network.state_dict()
    assert list(mine) == list(other)
    assert all(torch.equal(mine[key], other[key]) and mine[key].dtype == other[key].dtype for key in mine)


def test_spec_of_the_file_counts(tmp_path, network):
    network.spec = InputSpec((96, 64), "letterbox", {"drivable": 0.4, "lane": 0.8}, needs_nms=False)
    save(tmp_path / "net.safetensors", network, [])
    assert load(tmp_path / "net.safetensors").network.spec == network.spec


def test_halves_are_stored_and_read_as_floats(tmp_path, written, network):
    half = tmp_path / "half.safetensors"
    save(half, network, [], half=True)
    assert half.stat().st_size < 0.65 * written.stat().st_size
    assert {value.dtype for value in load_file(half).values()} == {torch.float16, torch.int64}
    for key, value in load(half).network.state_dict().items():
        original = network.state_dict()[key]
        assert value.dtype == original.dtype
        assert torch.equal(value, original.half().to(original.dtype) if value.is_floating_point() else original)
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_pruned_network_is_rebuilt_from_the_file_alone(tmp_path, network):
    groups = ChannelGroups(network)
    groups.remove({group.path: range(0, group.channels, 2 + number % 3) for number, group in enumerate(groups)})
    save(tmp_path / "pruned.safetensors", network, [])
    rebuilt = load(tmp_path / "pruned.safetensors").network
    assert layer_widths(rebuilt) == layer_widths(network) != layer_widths(YOLOP(width=0.25))
    for mine, other in zip(answer(network), answer(rebuilt), strict=True):
        assert torch.allclose(mine, other, rtol=0, atol=1e-6)
    rebuilt.train()(torch.rand(2, 3, 64, 96))["lane"].sum().backward()


def test_layers_of_every_kind_take_recorded_widths():
    nn = torch.nn

    def build(a, b, groups):
        return nn.Sequential(
            nn.Conv2d(a, b, 3, groups=groups),
            nn.BatchNorm2d(b),
            nn.ConvTranspose2d(b, a, 2, groups=groups, bias=False),
            nn.Linear(b, a),
            nn.BatchNorm2d(a, affine=False),
        )

    small, large = build(6, 4, 2), build(12, 8, 4)
    set_layer_widths(large, layer_widths(small))
    large.load_state_dict(small.state_dict())
    assert layer_widths(large) == layer_widths(small)
    images = torch.rand(1, 6, 5, 5)
    assert torch.equal(large[:3].eval()(images), small[:3].eval()(images))


def test_header_alone(written):
    header = read_header(written)
    assert header["network"] == "yolop" and header["history"] == HISTORY
    assert header["config"] == {"width": 0.25, "size": [64, 96], "resize": "stretch", "mask_stride": 1}
    assert header["format"] == FORMAT and header["widths"]["model.0.conv.conv"] == [12, 8, 1]


def test_header_is_read_without_the_weights(written):
    """A file whose weights are there in size only still tells what it is."""
    data = written.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    written.write_bytes(data[: 8 + length])
    assert read_header(written)["history"] == HISTORY
    refused(written)


@pytest.mark.parametrize("length", [0, 5, 8, 500, -1])
def test_truncated_file(written, length):
    written.write_bytes(written.read_bytes()[:length])
    refused(written, "truncated|damaged|panoedge")


def test_missing_file(tmp_path):
    refused(tmp_path / "absent.safetensors", "cannot be read")


def test_header_longer_than_the_file(tmp_path):
    path = tmp_path / "long.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    refused(path, "truncated")


class _Bomb:
    def __reduce__(self):
        return pytest.fail, ("code in the file was run",)


@pytest.mark.parametrize("dump", [lambda path: torch.save({"state": _Bomb()}, path), None])
def test_pickles_are_refused_and_not_run(tmp_path, dump):
    path = tmp_path / "authors.pth"
    if dump:
        dump(path)
    else:
        path.write_bytes(pickle.dumps(_Bomb()))
    refused(path, "pickle.*only .safetensors")


def test_other_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    refused(path, "not written by panoedge")
    save_file({"a": torch.zeros(2)}, path, {"panoedge": "[1]"})
    refused(path, "panoedge")


def test_newer_format(written):
    rewrite(written, lambda header: header.update(format=FORMAT + 1))
    refused(written, f"checkpoint format {FORMAT + 1}")


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"width": 20.0, "size": [64, 96]}},
        {"config": {"width": -1.0}},
        {"config": {"width": "wide"}},
        {"config": {"width": 1e9}},
        {"config": {"width": math.nan}},
        {"config": {"width": -math.inf}},
        {"network": "rmt-ppad", "config": {"depth": 1e9}},
        {"network": "rmt-ppad", "config": {"depth": -1}},
        {"network": "rmt-ppad", "config": {"depth": math.nan}},
        {"network": "rmt-ppad", "config": {"queries": math.inf}},
        {"config": {"width": 0.25, "size": [64, 100]}},
        {"config": {"width": 0.25, "depth": 3}},
        {"config": [0.25]},
        {"network": "resnet"},
        {"network": ["yolop"]},
        {"widths": {}},
        {"widths": None},
        {"spec": {}},
        {"spec": {"size": [64], "resize": "letterbox"}},
        {"history": 3},
        {"history": ["train"]},
        {"network": "rmt-ppad", "config": {"queries": True}},
        {"network": "x" * 3000},
        {"format": "x" * 3000},
    ],
    ids=str,
)
def test_hostile_header(written, change):
    rewrite(written, lambda header: header.update(change))
    refused(written, ".")


@pytest.mark.parametrize(
    "widths",
    [[12, 1 << 40, 1], [12, 1 << 15, 1], [12, -8, 1], [12, 0, 1], [12, 8, 5], [12], "8", [1.5, 8, 1]],
)
def test_hostile_widths(written, widths):
    rewrite(written, lambda header: header["widths"].update({"model.0.conv.conv": widths}))
    refused(written)


def test_layers_wider_than_their_weights_take_no_memory(written, monkeypatch):
    def widen(header):
        header["widths"] = {path: [1 << 16, 1 << 16, 1] for path in header["widths"]}

    rewrite(written, widen)
    monkeypatch.setattr("perception.checkpoint.set_layer_widths", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(InputError, match="wider than its weights"):
        load(written)


# Loads a small file, then others; prints what each said and the KiB that its loading took beyond any before.
LOAD = """
import resource, sys
from perception import checkpoint
from perception.errors import InputError
before = None
for path in sys.argv[1:]:
    try:
        said = checkpoint.load(path).network.name
    except InputError as error:
        said = str(error)
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(now - (before or now), said)
    before = now
"""


def test_memory_follows_from_the_size_of_the_file_not_from_what_it_claims(tmp_path, written):
    save(tmp_path / "pruned.safetensors", YOLOP(width=0.05, size=(64, 96)), [])
    claims = {"width": 4, "size": [64, 96]}
    rewrite(tmp_path / "pruned.safetensors", lambda header: header.update(config=claims))
    spec = InputSpec((64, 96)).to_json()
    widest = {"format": 1, "config": {"width": 4, "depth": 2}, "spec": spec, "history": []}
    for name, widths in (("without", {}), ("whole", layer_widths(RMTPPAD(0.05, 2)))):
        header = json.dumps({**widest, "network": "rmt-ppad", "widths": widths})
        save_file({"one": torch.zeros(1)}, tmp_path / f"{name}.safetensors", {"panoedge": header})
    files = [written, *(tmp_path / f"{name}.safetensors" for name in ("pruned", "without", "whole"))]
    done = subprocess.run([sys.executable, "-c", LOAD, *map(str, files)], capture_output=True, text=True, check=True)
    taken, said = zip(*(line.split(" ", 1) for line in done.stdout.splitlines()), strict=True)
    assert said[:2] == ("yolop", "yolop") and "layers differ" in said[2] and "tensors differ" in said[3]
    assert max(map(int, taken)) < 50_000, done.stdout


def test_what_is_not_in_the_file_is_as_the_constructor_made_it(tmp_path):
    @register
    class Keeper(Network):
        name = "keeper"

        def __init__(self, rate=0.5):
            super().__init__()
            self.config = {"rate": rate}
            self.spec = InputSpec((32, 32))
            self.rates = [value.item() for value in torch.linspace(0, rate, 3)]
            self.plain = torch.arange(4) * rate
            self.register_buffer("unsaved", torch.full((3,), rate), persistent=False)
            self.register_buffer("saved", torch.zeros(3))
            self.first = torch.nn.Linear(3, 3)
            self.second = torch.nn.Linear(3, 3)
            self.second.weight = self.first.weight
            self.fixed = torch.nn.Parameter(torch.ones(3), requires_grad=False)

    network = Keeper()
    network.saved += 7
    save(tmp_path / "keeper.safetensors", network, [])
    state = torch.get_rng_state()
    loaded = load(tmp_path / "keeper.safetensors").network
    assert loaded.rates == network.rates
    for name in ("plain", "unsaved", "saved", "fixed"):
        assert torch.equal(getattr(loaded, name), getattr(network, name))
    assert torch.equal(loaded.first.weight, network.first.weight)
    assert loaded.second.weight is loaded.first.weight
    assert [p.requires_grad for p in loaded.parameters()] == [p.requires_grad for p in network.parameters()]
    assert torch.equal(torch.get_rng_state(), state)


def test_layers_that_others_make_meanwhile_have_their_weights(written, monkeypatch):
    """In another thread, while a network is being rebuilt."""
    made = []

    def elsewhere(name):
        thread = threading.Thread(target=lambda: made.append(torch.nn.Linear(2, 2)))
        thread.start()
        thread.join()
        return YOLOP

    monkeypatch.setattr("perception.checkpoint.network_class", elsewhere)
    assert not any(parameter.is_meta for parameter in load(written).network.parameters())
    assert not made[0].weight.is_meta and made[0].weight.abs().sum() > 0


def test_a_header_nested_without_end(tmp_path):
    path = tmp_path / "deep.safetensors"
    text = b"[" * 100_000
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(InputError, match="not written by panoedge"):
        read_header(path)


@pytest.mark.parametrize("entry", ["format", "network", "config", "widths", "spec", "history"])
def test_missing_entry(written, entry):
    rewrite(written, lambda header: header.pop(entry))
    refused(written, ".")


def test_tensors_that_are_missing_too_many_or_misshapen(written):
    original = written.read_bytes()
    for change in (
        lambda tensors: tensors.pop("model.24.anchors"),
        lambda tensors: tensors.update(extra=torch.zeros(1)),
        lambda tensors: tensors.update({"model.0.conv.bn.bias": torch.zeros(9)}),
    ):
        written.write_bytes(original)
        rewrite(written, tensors=change)
        refused(written)


def test_a_failed_save_leaves_the_old_file(written, network):
    before = written.read_bytes()
    with pytest.raises(TypeError):
        save(written, network, [{"not": {"json"}}])
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]
