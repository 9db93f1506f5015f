import pytest
import torch

from perception.errors import InputError
from perception.networks import network_class, network_names, register
from perception.networks.base import Decoded, DeployForm, Network, Targets
from perception.networks.yolop import YOLOP
from perception.spec import InputSpec


class _Plain(Network):
    """Masks are the red and the green of the picture, the one box is the whole of it."""

    name = "plain"
    mean = (0.5, 0.0, 0.0)
    std = (0.5, 1.0, 2.0)

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((4, 6))
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, images):
        return {"images": images * self.scale}

    def decode(self, raw):
        images = raw["images"]
        boxes = torch.tensor([0, 0, *images.shape[:1:-1]], dtype=images.dtype).expand(len(images), 1, 4)
        return Decoded(boxes, images[:, 0, :1, 0], images[:, 0] / 2 + 0.5, images[:, 1])


def pictures():
    return torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normalise(dtype):
    images = _Plain().to(dtype).normalise(pictures())
    assert images.shape == (2, 3, 4, 6) and images.dtype == dtype
    expected = pictures().permute(0, 3, 1, 2).to(dtype) / 255
    assert torch.allclose(images[:, 0], (expected[:, 0] - 0.5) / 0.5)
    assert torch.allclose(images[:, 2], expected[:, 2] / 2)


def test_deploy_form_takes_and_gives_bytes():
    with torch.no_grad():
        boxes, scores, drivable, drivable_mean, lane, _ = DeployForm(_Plain())(pictures())
    assert boxes.tolist() == [[[0, 0, 6, 4]]] * 2 and scores.shape == (2, 1)
    # Every byte survives the way through [0, 1] and back.
    assert torch.equal(drivable, pictures()[..., 0]) and torch.equal(lane, pictures()[..., 1])
    assert torch.allclose(drivable_mean, pictures()[..., 0].float().mean((1, 2)) / 255)


def test_imitation_of_masks():
    network = _Plain()
    raw, other = ({"images": torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(seed))} for seed in (0, 1))
    same = network.imitation(raw, raw)
    assert list(same) == ["drivable", "lane"] and all(abs(value) < 1e-6 for value in same.values())
    p, q = raw["images"][:, 1], other["images"][:, 1]
    expected = (q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()).mean()
    assert network.imitation(raw, other)["lane"].item() == pytest.approx(expected.item(), rel=1e-3)


def test_what_is_deployed_is_the_fused_form():
    class Fusible(_Plain):
        def fused(self):
            smaller = _Plain()
            smaller.scale.data[...] = 0.5
            return smaller

    plain = _Plain()
    assert plain.fused() is plain and DeployForm(plain).network is plain
    with torch.no_grad():
        lane = DeployForm(Fusible())(pictures())[4]
    assert torch.equal(lane, (pictures()[..., 1] / 2 + 0.5).to(torch.uint8))


def test_targets_move_together():
    targets = Targets(torch.zeros(1, 5), *(torch.zeros(1, 2, 2, dtype=torch.uint8),) * 2).to("meta")
    assert isinstance(targets, Targets) and all(part.is_meta for part in targets[:3])


def test_registry():
    assert "yolop" in network_names() and network_class("yolop") is YOLOP
    assert register(YOLOP) is YOLOP  # again: no harm
    with pytest.raises(ValueError, match="registered already"):
        register(type("Other", (Network,), {"name": "yolop"}))
    with pytest.raises(InputError, match=r"unknown network 'resnet'; known: .*yolop"):
        network_class("resnet")
