import pytest
import torch

from compress.coarsen import coarsen_checkpoint, coarsened
from compress.groups import ChannelGroups
from compress.latency import slimmed
from perception import checkpoint
from perception.errors import InputError
from perception.networks.yolop import YOLOP
from perception.tasks import DETECTION, DRIVABLE, LANE


@pytest.fixture
def network() -> YOLOP:
    torch.manual_seed(0)
    return slimmed(YOLOP(width=0.25, size=(64, 96)).eval(), 0.5)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("stride", [2, 4])
def test_masks_keep_their_size_and_begin_in_blocks(network, images, stride):
    with torch.no_grad():
        before, after = network(images), coarsened(network, stride)(images)
    for old, new in zip(before[DETECTION], after[DETECTION], strict=True):
        assert torch.equal(old, new)
    for task in (DRIVABLE, LANE):
        assert after[task].shape == before[task].shape
        inner = after[task][..., ::stride, ::stride]
        assert torch.equal(after[task], inner.repeat_interleave(stride, -1).repeat_interleave(stride, -2))
        assert inner.std() > 0


def test_pruned_one_is_written_pruned_again_and_read(network, images, tmp_path):
    source, out = tmp_path / "pruned.safetensors", tmp_path / "coarse.safetensors"
    checkpoint.save(source, network, [{"stage": "prune"}])
    assert coarsen_checkpoint(source, 4, out) == {"stage": "coarsen", "mask_stride": 4}
    loaded = checkpoint.load(out)
    assert [entry["stage"] for entry in loaded.history] == ["prune", "coarsen"]
    assert loaded.network.config["mask_stride"] == 4
    ChannelGroups(loaded.network, "all").remove({"model.39.conv": [0]})
    assert loaded.network(images)[LANE].shape == (2, 2, 64, 96)


@pytest.mark.parametrize("stride", [1, 3, 8])
def test_stride_that_is_not_offered(network, stride):
    with pytest.raises(InputError, match=f"mask stride {stride}: yolop offers 2, 4"):
        coarsened(network, stride)


def test_only_once(network):
    with pytest.raises(InputError, match="mask stride 2 already; start from the checkpoint before that"):
        coarsened(coarsened(network, 2), 4)
