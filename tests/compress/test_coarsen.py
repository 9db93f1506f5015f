import pytest
import torch
import torch.nn.functional as F

from compress.coarsen import coarsen_checkpoint, coarsened
from compress.groups import ChannelGroups
from compress.latency import slimmed
from perception import checkpoint
from perception.errors import InputError
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP
from perception.tasks import DRIVABLE, LANE

SIZE = (64, 96)


@pytest.fixture(scope="module")
def yolop() -> Network:
    torch.manual_seed(0)
    network = slimmed(YOLOP(width=0.25, size=SIZE).eval(), 0.5)
    for weight in network.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.2)
    return network


@pytest.fixture(scope="module")
def rmt_ppad() -> Network:
    torch.manual_seed(0)
    return slimmed(RMTPPAD(width=0.25, depth=0.34, size=SIZE).eval(), 0.5)


@torch.no_grad()
def _decoded(network: Network):
    images = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    return network.decode(network(images))


@pytest.mark.parametrize(("name", "stride"), [("yolop", 2), ("yolop", 4), ("rmt_ppad", 2), ("rmt_ppad", 8)])
def test_masks_begin_near_the_old_ones(request, monkeypatch, name, stride):
    network = request.getfixturevalue(name)
    before, after = _decoded(network), _decoded(coarsened(network, stride))
    monkeypatch.setattr("compress.coarsen.regrid", lambda network, coarse: None)
    kept = _decoded(coarsened(network, stride))
    assert torch.equal(before.boxes, after.boxes) and torch.equal(before.scores, after.scores)
    for task in (DRIVABLE, LANE):
        old, new, repeated = (getattr(answer, task) for answer in (before, after, kept))
        assert new.shape == (2, *SIZE) and new.std() > 0
        distance, without = (F.mse_loss(*(F.avg_pool2d(m, stride) for m in (old, mask))) for mask in (new, repeated))
        assert distance < without / 4


def test_repeated_pixels_cost_nothing(yolop):
    before, after = _decoded(yolop), _decoded(coarsened(yolop, 2))
    for task in (DRIVABLE, LANE):
        assert getattr(before, task).std() > 0
        torch.testing.assert_close(getattr(after, task), getattr(before, task), atol=0, rtol=1e-3)


def test_fewer_queries_are_the_most_promising_ones(rmt_ppad):
    everything, fewer = (coarsened(rmt_ppad, queries=count) for count in (80, 20))
    first = [network.model[28].enc_score_head for network in (everything, fewer)]
    assert torch.equal(first[0].weight, first[1].weight)
    assert _decoded(everything).boxes.shape == (2, 80, 4) and _decoded(fewer).boxes.shape == (2, 20, 4)
    assert torch.equal(_decoded(everything).lane, _decoded(fewer).lane)


def test_pruned_one_is_written_read_and_pruned_again(yolop, tmp_path):
    source, out = tmp_path / "pruned.safetensors", tmp_path / "coarse.safetensors"
    checkpoint.save(source, yolop, [{"stage": "prune"}])
    coarsen_checkpoint(source, out, mask_stride=4)
    loaded = checkpoint.load(out)
    assert loaded.history == [{"stage": "prune"}, {"stage": "coarsen", "mask_stride": 4}]
    assert loaded.network.config["mask_stride"] == 4
    ChannelGroups(loaded.network, "all").remove({"model.39.conv": [0]})
    assert _decoded(loaded.network).lane.shape == (2, *SIZE)


@pytest.mark.parametrize(
    ("name", "asked", "fault"),
    [
        ("yolop", {"mask_stride": 1}, "mask stride 1: yolop offers 2, 4"),
        ("yolop", {"mask_stride": 8}, "mask stride 8: yolop offers 2, 4"),
        ("yolop", {"queries": 100}, "queries 100: yolop has none"),
        ("rmt_ppad", {"queries": 301}, "queries 301: rmt-ppad has 300"),
        ("rmt_ppad", {"queries": 0}, "queries 0: rmt-ppad has 300"),
        ("yolop", {}, "nothing to do"),
    ],
)
def test_what_a_network_does_not_offer(request, name, asked, fault):
    with pytest.raises(InputError, match=fault):
        coarsened(request.getfixturevalue(name), **asked)


def test_only_once(yolop):
    with pytest.raises(InputError, match="mask stride 2 already; start from the checkpoint before that"):
        coarsened(coarsened(yolop, 2), 4)
