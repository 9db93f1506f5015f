import json
import os
import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from panoedge.import_command import register  # noqa: E402
from panoedge.model_commands import register_evaluate, register_info  # noqa: E402
from perception import checkpoint, networks  # noqa: E402
from perception.command import main  # noqa: E402
from perception.networks.yolop import YOLOP  # noqa: E402


def panoedge(*argv: object) -> int:
    from export.commands import register_export

    registers = [register, register_evaluate, register_info, register_export]
    return main("panoedge", "", registers, [str(argument) for argument in argv])


class Small(YOLOP):
    """YOLOP as published, were it published small."""

    name = "small"

    def __init__(self, width: float = 0.25, size=(64, 96), resize: str = "letterbox", mask_stride: int = 1):
        super().__init__(width, size, resize, mask_stride)


@pytest.fixture
def small(monkeypatch) -> Small:
    """A network that is registered for the length of a test."""
    monkeypatch.setitem(networks._NETWORKS, "small", Small)
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "imported.safetensors"


def saved(content: object, tmp_path: Path, **options: object) -> Path:
    torch.save(content, tmp_path / "authors.pth", **options)
    return tmp_path / "authors.pth"


def same(found: dict, expected: dict) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


def refused(capsys, out: Path, *argv: object) -> str:
    """What an import that fails tells: one line, and nothing is written."""
    assert panoedge("import", *argv, "--out", out) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert not out.exists()
    return message


@pytest.mark.parametrize("old", [False, True])
def test_a_state_dictionary_among_other_things(small, tmp_path, out, capsys, old):
    content = {"epoch": 240, "model": "its name", "state_dict": small.state_dict(), "optimizer": {"state": {}}}
    source = saved(content, tmp_path, _use_new_zipfile_serialization=not old)
    assert panoedge("import", "small", source, "--out", out) == 0
    assert capsys.readouterr().err.endswith("tensors of authors.pth; left behind: model, optimizer\n")
    loaded = checkpoint.load(out)
    assert same(loaded.network.state_dict(), small.state_dict())
    (stage,) = loaded.history
    assert (stage["stage"], stage["file"], len(stage["sha256"])) == ("import", "authors.pth", 64)
    assert (stage["entry"], stage["epoch"], stage["tensors"]) == ("state_dict", 240, len(small.state_dict()))
    assert stage["ignored"] == ["model", "optimizer"]


def test_a_bare_state_dictionary(small, tmp_path, out):
    assert panoedge("import", "small", saved(small.state_dict(), tmp_path), "--out", out) == 0
    assert same(checkpoint.load(out).network.state_dict(), small.state_dict())


def test_a_pickled_module_in_half_precision(small, tmp_path, out):
    content = {"epoch": 5, "best_fitness": float("nan"), "model": None, "ema": small.half(), "train_args": {"lr": 1}}
    assert panoedge("import", "small", saved(content, tmp_path), "--size", "96x64", "--out", out) == 0
    loaded = checkpoint.load(out)
    assert loaded.network.spec.size == (96, 64)
    assert {value.dtype for value in loaded.network.state_dict().values()} == {torch.float32, torch.int64}
    floats = {k: v.float() if v.is_floating_point() else v for k, v in small.state_dict().items()}
    assert same(loaded.network.state_dict(), floats)
    assert loaded.history[0]["ignored"] == ["best_fitness", "model", "train_args"]


def test_it_is_measured_and_exported_like_any_other(small, tmp_path, out, dataset, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    native = tmp_path / "native.safetensors"
    checkpoint.save(native, small, [])
    assert panoedge("import", "small", saved({"state_dict": small.state_dict()}, tmp_path), "--out", out) == 0
    measured = []
    for file in (native, out):
        assert panoedge("evaluate", file, "--data", dataset, "--json", file.with_suffix(".json")) == 0
        measured.append(json.loads(file.with_suffix(".json").read_text()))
    assert measured[0]["lane"] == measured[1]["lane"] and measured[0]["detection"] == measured[1]["detection"]
    assert panoedge("export", "onnx", out, "--out", out.with_suffix(".onnx")) == 0
    assert panoedge("info", out) == 0
    told = capsys.readouterr().out
    assert "1. import" in told and "file: authors.pth" in told


def published(reference: Path, name: str) -> torch.nn.Module:
    """A module of nested modules with the keys and shapes of a published network, in half precision."""
    root = torch.nn.Module()
    generator = torch.Generator().manual_seed(0)
    for key, shape in json.loads((reference / f"{name}.keys.json").read_text()).items():
        *path, leaf = key.split(".")
        module = root
        for part in path:
            if part not in module._modules:
                module.add_module(part, torch.nn.Module())
            module = module._modules[part]
        if leaf == "num_batches_tracked":
            module.register_buffer(leaf, torch.tensor(7))
        else:
            module.register_buffer(leaf, torch.rand(shape, generator=generator).half())
    return root


@pytest.mark.parametrize(("network", "file"), [("yolop", "yolop"), ("rmt-ppad", "rmt_ppad")])
def test_published_checkpoints(reference, tmp_path, out, network, file):
    authors = published(reference, file)
    content = {"epoch": 249, "best_fitness": 2.5, "model": None, "ema": authors, "updates": 9, "optimizer": None}
    assert panoedge("import", network, saved(content, tmp_path), "--out", out) == 0
    loaded = checkpoint.load(out)
    found = loaded.network.state_dict()
    expected = authors.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key].to(found[key].dtype)) for key in found)
    assert loaded.network.config["width"] == 1
    assert (loaded.history[0]["epoch"], loaded.history[0]["best_fitness"]) == (249, 2.5)


def test_weights_of_another_network(small, tmp_path, out, capsys):
    weights = small.state_dict()
    weights["extra"] = weights.pop("model.24.anchors")
    weights["model.0.conv.bn.bias"] = torch.zeros(3)
    message = refused(capsys, out, "small", saved({"state_dict": weights}, tmp_path))
    for fact in (
        "authors.pth: not the weights of the network as published",
        "1 missing (model.24.anchors)",
        "1 unknown (extra)",
    ):
        assert fact in message
    assert "1 of another shape (model.0.conv.bn.bias (3,) instead of (8,))" in message


def test_claims_are_compared_before_anything_is_read(small, tmp_path, out, capsys):
    weights = {"huge": torch.zeros(1).expand(1 << 20, 1 << 20), **small.state_dict()}
    assert "1 unknown (huge)" in refused(capsys, out, "small", saved(weights, tmp_path))
    flat = {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in small.state_dict().items()}
    assert "repeats its storage" in refused(capsys, out, "small", saved(flat, tmp_path))


class Bomb:
    """Runs a command when an ordinary unpickler meets it."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("entry", ["optimizer", "state_dict", "ema"])
def test_code_is_refused_by_name_and_not_run(small, tmp_path, out, capsys, entry):
    marker = tmp_path / "marker"
    source = saved({"state_dict": small.state_dict(), entry: Bomb(marker)}, tmp_path)
    message = refused(capsys, out, "small", source)
    assert "authors.pth: refused: its pickle uses" in message and ".system" in message
    assert not marker.exists()


def test_other_files(small, tmp_path, out, capsys):
    source = tmp_path / "other.pt"
    assert "cannot be read" in refused(capsys, out, "small", source)
    source.write_bytes(pickle.dumps({"state_dict": {}}))
    assert "other.pt: not a file that torch.save wrote" in refused(capsys, out, "small", source)
    assert "holds no weights" in refused(capsys, out, "small", saved({"epoch": 3}, tmp_path))


def test_usage(small, tmp_path, out, capsys):
    source = saved(small.state_dict(), tmp_path)
    assert "unknown network 'resnet'; known: " in refused(capsys, out, "resnet", source)
    assert "multiples of 32" in refused(capsys, out, "small", source, "--size", "100x100")
    assert panoedge("import", "small", source, "--out", tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err
