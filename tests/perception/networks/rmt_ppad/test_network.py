import importlib.util
import json

import numpy as np
import pytest
import torch
from torch import nn

from perception import checkpoint
from perception.errors import InputError
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.rmt_ppad.outputs import Detections
from perception.tasks import TASKS

SIZE = (64, 96)


@pytest.fixture(scope="module")
def recipe(reference):
    """The recipe that fills a network with numbers from its keys' names."""
    spec = importlib.util.spec_from_file_location("weights_recipe", reference / "weights_recipe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def filled(network, recipe):
    state = {key: torch.from_numpy(recipe.fill(key, tuple(v.shape))) for key, v in network.state_dict().items()}
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def tiny():
    """Small, with batch norms that differ from channel to channel."""
    torch.manual_seed(0)
    network = RMTPPAD(width=0.25, depth=0.34, size=SIZE)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in ((module.weight, 0.5, 1.5), (module.bias, -0.2, 0.2)):
                nn.init.uniform_(tensor, low, high)
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.uniform_(-0.1, 0.1)
    return network.eval()


def run(network, size=SIZE, count=1):
    images = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network(images)


def assert_same(one, other, tolerance):
    for task in ("drivable", "lane"):
        assert torch.allclose(one[task].sigmoid(), other[task].sigmoid(), rtol=0, atol=tolerance)
    for mine, its in zip(one["detection"][:2], other["detection"][:2], strict=True):
        assert torch.allclose(mine, its, rtol=0, atol=tolerance)


def test_keys_and_shapes_are_the_published_ones(reference):
    network = RMTPPAD()
    published = json.loads((reference / "rmt_ppad.keys.json").read_text())
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == published
    assert sum(parameter.numel() for parameter in network.parameters()) == 35_171_082


def test_outputs_are_the_published_ones_fused_or_not(reference, recipe):
    network = filled(RMTPPAD(), recipe)
    image = torch.from_numpy(recipe.image(640, 640))
    with torch.no_grad(), np.load(reference / "rmt_ppad.npz") as expected:
        raw = network(image)
        found = torch.cat((raw["detection"].boxes[-1], raw["detection"].logits[-1].sigmoid()), -1)[0].numpy()
        truth = expected["detections"][0]
        in_order, truth_in_order = (part[part[:, 4].argsort()] for part in (found, truth))
        assert np.allclose(in_order, truth_in_order, rtol=0, atol=1e-3)
        for number, task in enumerate(("drivable", "lane")):
            logits = expected["masks"][:, number]
            assert np.allclose(raw[task][:, ::4, ::4], logits, rtol=0, atol=1e-3 * np.abs(logits).max())
        fused = network.fused()
        assert sum(parameter.numel() for parameter in fused.parameters()) == 34_348_746
        again = fused(image)
    assert torch.allclose(again["detection"].boxes[-1], raw["detection"].boxes[-1], rtol=0, atol=1e-4)
    for task in ("drivable", "lane"):
        assert torch.allclose(again[task], raw[task], rtol=0, atol=1e-4 * raw[task].abs().max().item())


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (96, 64), (32, 160)])
def test_any_multiple_of_32(tiny, size):
    raw = run(tiny, size, count=2)
    assert list(raw) == list(TASKS)
    positions = sum(size[0] * size[1] // s**2 for s in (8, 16, 32))
    queries = min(300, positions)
    assert raw["detection"].boxes.shape == (3, 2, queries, 4) and raw["detection"].logits.shape == (3, 2, queries, 1)
    assert [part.shape[2:] for part in raw["detection"].memory] == [(size[0] // s, size[1] // s) for s in (8, 16, 32)]
    assert raw["drivable"].shape == raw["lane"].shape == (2, *size)
    decoded = tiny.decode(raw)
    assert decoded.boxes.shape == (2, queries, 4) and decoded.scores.shape == (2, queries)
    assert decoded.drivable.shape == decoded.lane.shape == (2, *size)


@pytest.mark.parametrize("size", [(0, 64), (64, 100), (33, 32)])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match="multiples of 32"):
        RMTPPAD(width=0.25, size=size)


@pytest.mark.parametrize("sizes", [{"width": 0.0}, {"width": 5.0}, {"depth": 0.0}, {"depth": 2.5}])
def test_multipliers_that_make_no_network_are_refused(sizes):
    with pytest.raises(InputError, match=f"{next(iter(sizes))} .*must be above 0"):
        RMTPPAD(**sizes)


@pytest.mark.parametrize(("width", "depth"), [(0.1, 0.1), (0.35, 0.5), (1.25, 1.0)])
def test_widths_and_depths(width, depth):
    network = RMTPPAD(width, depth, SIZE).eval()
    head = network.model[28]
    hidden = 8 * -(-256 * width // 8)
    assert head.enc_output[0].out_features == hidden and head.decoder.layers[0].self_attn.num_heads == 8
    assert len(head.decoder.layers) == len(head.dec_bbox_head) == max(1, round(6 * depth))
    assert len(network.model[1].m) == max(1, round(6 * depth)) and len(network.model[16].m) == max(1, round(3 * depth))
    assert run(network)["detection"].boxes.shape[0] == 1 + max(1, round(6 * depth))


def test_rebuilt_from_its_file(tmp_path, tiny):
    checkpoint.save(tmp_path / "net.safetensors", tiny, [])
    rebuilt = checkpoint.load(tmp_path / "net.safetensors").network
    config = {"width": 0.25, "depth": 0.34, "size": [64, 96], "resize": "stretch"}
    assert rebuilt.config == tiny.config == {**config, "mask_stride": 1, "queries": 300}
    assert rebuilt.spec == tiny.spec and not tiny.spec.needs_nms
    assert tiny.spec.thresholds == {"drivable": 0.45, "lane": 0.9}
    assert_same(run(tiny), run(rebuilt), 0)


def test_fusing_keeps_the_function_and_the_network(tiny):
    before = {key: value.clone() for key, value in tiny.state_dict().items()}
    fused = tiny.fused()
    assert_same(run(tiny), run(fused), 1e-4)
    assert_same(run(fused), run(fused.fused()), 0)
    assert before.keys() == tiny.state_dict().keys()
    assert all(torch.equal(value, before[key]) for key, value in tiny.state_dict().items())
    remaining = {path for path, module in fused.named_modules() if isinstance(module, nn.Conv2d)}
    assert remaining < {path for path, module in tiny.named_modules() if isinstance(module, nn.Conv2d)}
    norms = [path for path, module in fused.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all(path.startswith("model.28.") for path in norms)


def test_decode_reads_the_last_layer_in_pixels(tiny):
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.25], [0.25, 0.75, 0.5, 0.5]])
    found = Detections(
        torch.stack((torch.zeros(1, 2, 4), boxes[None])), torch.tensor([[[[9.0], [9]]], [[[0.0], [2]]]]), ()
    )
    masks = torch.full((1, *SIZE), -1.0)
    decoded = tiny.decode({"detection": found, "drivable": masks, "lane": -masks})
    assert decoded.boxes.tolist() == [[[24, 24, 72, 40], [0, 32, 48, 64]]]
    assert torch.allclose(decoded.scores, torch.tensor([[0.0, 2.0]]).sigmoid())
    assert torch.allclose(decoded.drivable, masks.sigmoid()) and torch.allclose(decoded.lane, (-masks).sigmoid())


def test_taps_are_images(tiny):
    seen = {}
    hooks = [
        tiny.get_submodule(path).register_forward_hook(lambda m, i, o, name=name: seen.update({name: o.shape[2:]}))
        for name, path in tiny.taps.items()
    ]
    run(tiny)
    for hook in hooks:
        hook.remove()
    strides = {name: int(name.removeprefix("stage").removeprefix("fused")) for name in tiny.taps}
    assert seen == {name: (SIZE[0] // stride, SIZE[1] // stride) for name, stride in strides.items()}
