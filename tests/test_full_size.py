"""RMT-PPAD at the size it was published in: imported, pruned, rebuilt from its file, fused, exported and run.

The picture is small, which changes no weight.
"""

import copy

import numpy as np
import pytest
import torch

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from compress.importance import importance
from compress.plan import plan
from export.onnx_writer import export_onnx
from panoedge.import_command import import_checkpoint
from perception import checkpoint
from perception.cost import cost
from perception.networks.rmt_ppad import RMTPPAD
from runtime.backends import open_backend

SIZE = (64, 96)
SHARE = 0.673


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return RMTPPAD(size=SIZE).eval()


@pytest.fixture(scope="module")
def imported(teacher, tmp_path_factory):
    """What comes out of a training file as the authors' trainer leaves one: a pickled module in half precision."""
    folder = tmp_path_factory.mktemp("import")
    torch.save({"epoch": 249, "model": None, "ema": copy.deepcopy(teacher).half()}, folder / "best.pt")
    import_checkpoint(RMTPPAD.name, folder / "best.pt", folder / "teacher.safetensors", {"size": SIZE})
    return checkpoint.load(folder / "teacher.safetensors").network


@pytest.fixture(scope="module")
def pruned(imported):
    """To the share of parameters that the paper keeps."""
    network = copy.deepcopy(imported)
    groups = ChannelGroups(network)
    model = CostModel(network, groups)
    target = SHARE * model.cost("params", {})
    groups.remove(plan(groups, importance("magnitude")(network, groups, []), model, "params", target))
    return network


@pytest.fixture(scope="module")
def written(pruned, tmp_path_factory):
    path = tmp_path_factory.mktemp("full-size") / "pruned.safetensors"
    checkpoint.save(path, pruned, [])
    return path


@torch.no_grad()
def answer(network):
    raw = network(torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)))
    return [*raw["detection"].memory, raw["drivable"], raw["lane"], *raw["detection"][:2]]


def test_import_keeps_every_tensor(teacher, imported):
    own, theirs = teacher.state_dict(), imported.state_dict()
    assert len(theirs) == 1229 and own.keys() == theirs.keys()
    assert all(torch.equal(value.half(), theirs[key].half()) for key, value in own.items())


def test_budget_is_that_of_the_fused_network(pruned):
    assert cost(pruned).parameters / 34_348_746 == pytest.approx(SHARE, rel=0.005)


def test_rebuilt_from_its_file_alone(pruned, written):
    rebuilt = checkpoint.load(written).network
    assert all(torch.allclose(a, b, rtol=0, atol=1e-5) for a, b in zip(answer(pruned), answer(rebuilt), strict=True))
    assert cost(rebuilt) == cost(pruned)


def test_fusing_keeps_the_function(pruned):
    # Behind these, queries that score alike may swap places.
    for mine, its in zip(answer(pruned)[:5], answer(pruned.fused())[:5], strict=True):
        assert torch.allclose(mine, its, rtol=0, atol=1e-4)


def test_exported_and_run(pruned, written):
    out = written.with_suffix(".onnx")
    deployed = export_onnx(written, out)  # compares file and network too
    assert deployed.parameters == cost(pruned).parameters
    with open_backend(out, "cpu", threads=1) as backend:
        outputs = backend.infer(np.zeros((1, *SIZE, 3), np.uint8))
    positions = sum(SIZE[0] * SIZE[1] // stride**2 for stride in (8, 16, 32))
    assert outputs.boxes.shape == (1, positions, 4) and outputs.lane.shape == (1, *SIZE)
