import importlib.util
import json

import numpy as np
import pytest
import torch

from perception.errors import InputError
from perception.networks.base import Targets
from perception.networks.yolop import CANDIDATES, YOLOP
from perception.tasks import TASKS


@pytest.fixture(scope="module")
def recipe(reference):
    """The recipe that fills a network with numbers from its keys' names."""
    spec = importlib.util.spec_from_file_location("weights_recipe", reference / "weights_recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return YOLOP(width=0.25, size=(64, 96)).eval()


def run(network, size=(64, 96), count=1):
    images = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network(images)


def test_keys_and_shapes_are_the_published_ones(reference):
    network = YOLOP()
    published = json.loads((reference / "yolop.keys.json").read_text())
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == published
    assert sum(parameter.numel() for parameter in network.parameters()) == 7_940_846


def test_outputs_are_the_published_ones(reference, recipe):
    network = YOLOP().eval()
    state = {
        key: value if "anchor" in key else torch.from_numpy(recipe.fill(key, tuple(value.shape)))
        for key, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (network.mean, network.std))
    with torch.no_grad():
        raw = network((torch.from_numpy(recipe.image(384, 640)) - mean) / std)
        detections = network.model[24].decode(raw["detection"]).numpy()
    with np.load(reference / "yolop.npz") as expected:
        assert np.allclose(detections[..., 4:], expected["detections"][..., 4:], rtol=0, atol=1e-4)
        assert np.allclose(detections[..., :4], expected["detections"][..., :4], rtol=1e-3, atol=1e-3)
        for task in ("drivable", "lane"):
            assert np.allclose(raw[task].sigmoid()[..., ::4, ::4], expected[task], rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (96, 64), (32, 160)])
def test_any_multiple_of_32(tiny, size):
    raw = run(tiny, size, count=2)
    assert list(raw) == list(TASKS)
    assert [part.shape for part in raw["detection"]] == [(2, 3, size[0] // s, size[1] // s, 6) for s in (8, 16, 32)]
    assert raw["drivable"].shape == raw["lane"].shape == (2, 2, *size)
    decoded = tiny.decode(raw)
    anchors = sum(3 * size[0] * size[1] // s**2 for s in (8, 16, 32))
    assert decoded.boxes.shape == (2, min(anchors, CANDIDATES), 4)
    assert decoded.scores.shape == decoded.boxes.shape[:2] and decoded.lane.shape == (2, *size)


@pytest.mark.parametrize("size", [(0, 64), (64, 100), (33, 32), (-32, 32)])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match="multiples of 32"):
        YOLOP(width=0.25, size=size)


@pytest.mark.parametrize("width", [0.1, 0.35, 0.5, 1.25])
def test_widths(width):
    network = YOLOP(width=width, size=(32, 64))
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.bias is None]
    assert all(layer.out_channels % 4 == 0 for layer in layers[:-1] if layer.out_channels != 2)
    assert network.model[9].cv4.conv.out_channels == max(8, 8 * -(-512 * width // 8))
    run(network.eval(), (32, 64))


@pytest.mark.parametrize("width", [0, -1, float("nan"), 1000])
def test_impossible_widths_are_refused(width):
    with pytest.raises(InputError, match="width"):
        YOLOP(width=width)


def test_config_makes_the_same_network_again(tiny):
    again = YOLOP(**json.loads(json.dumps(tiny.config)))
    assert again.spec == tiny.spec == YOLOP(0.25, (64, 96)).spec
    shapes = [{key: value.shape for key, value in network.state_dict().items()} for network in (tiny, again)]
    assert shapes[0] == shapes[1]


def test_every_named_part_exists(tiny):
    for path in (*tiny.taps.values(), *tiny.protected, *(p for prefixes in tiny.regions.values() for p in prefixes)):
        tiny.get_submodule(path)


def test_training_mode_learns_statistics_and_evaluation_does_not(tiny):
    statistics = tiny.model[0].conv.bn.running_mean
    before = statistics.clone()
    run(tiny)
    assert torch.equal(statistics, before)
    tiny.train()
    run(tiny, count=2)
    tiny.eval()
    assert not torch.equal(statistics, before)


def test_decode_keeps_the_best_thousand(tiny):
    raw = run(tiny, (128, 256))  # 2016 anchors
    decoded = tiny.decode(raw)
    everything = tiny.model[24].decode(raw["detection"])
    products = everything[0, :, 4] * everything[0, :, 5]
    assert decoded.scores.shape == (1, CANDIDATES)
    assert torch.equal(decoded.scores[0], products.sort(descending=True).values[:CANDIDATES])
    x, y, width, height = everything[0, products.argmax(), :4]
    best = torch.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    assert torch.allclose(decoded.boxes[0, 0], best)


def test_decoded_cell_by_hand(tiny):
    """Zero logits: the centre of the cell and the anchor itself."""
    maps = [torch.zeros(1, 3, 64 // stride, 96 // stride, 6) for stride in (8, 16, 32)]
    decoded = tiny.model[24].decode(maps)[0]
    row, column, anchor = 2, 5, 1
    assert decoded[anchor * 8 * 12 + row * 12 + column].tolist() == [5.5 * 8, 2.5 * 8, 5, 11, 0.5, 0.5]
    assert decoded[-1].tolist() == [2.5 * 32, 1.5 * 32, 68, 157, 0.5, 0.5]


def test_mask_probability_is_the_softmax(tiny):
    raw = run(tiny)
    decoded = tiny.decode(raw)
    assert torch.allclose(decoded.lane, raw["lane"].softmax(1)[:, 1], atol=1e-6)
    assert torch.equal(decoded.drivable > 0.5, raw["drivable"].argmax(1) == 1)


def test_losses_reach_every_weight(tiny):
    masks = torch.zeros(1, 64, 96, dtype=torch.uint8)
    masks[:, 40:] = 1
    raw = tiny(torch.rand(1, 3, 64, 96))
    losses = tiny.losses(raw, Targets(torch.tensor([[0.0, 10, 10, 40, 40]]), masks, masks))
    assert list(losses) == list(TASKS)
    gradients = torch.autograd.grad(sum(losses.values()), list(tiny.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)
