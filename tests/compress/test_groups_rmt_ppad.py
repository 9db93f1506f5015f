"""RMT-PPAD's rooms: what shrinks, what is tied to what, and what stays whole."""

import copy

import pytest
import torch
from torch import nn

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from perception.cost import cost
from perception.networks.rmt_ppad import RMTPPAD

SIZE = (64, 96)


@pytest.fixture(scope="module")
def original():
    torch.manual_seed(0)
    network = RMTPPAD(width=0.25, depth=0.34, size=SIZE)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.fixture
def network(original):
    return copy.deepcopy(original)


def answer(network):
    with torch.no_grad():
        raw = network(torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)))
    return [*raw["detection"].memory, raw["drivable"], raw["lane"], *raw["detection"][:2]]


def assert_same(one, other, tolerance, fused=False):
    """All outputs; of a fused network those before queries are chosen, since its last digits differ and queries that
    score alike may swap places."""
    for mine, its in list(zip(answer(one), answer(other), strict=True))[: 5 if fused else None]:
        assert torch.allclose(mine, its, rtol=0, atol=tolerance)


def writers(groups):
    """The layers that write each group's channels."""
    return {frozenset(slot.path for slot in group.slots if slot.side == "out") for group in groups}


def test_couplings_are_the_known_ones(network):
    tied = writers(ChannelGroups(network, "all"))
    head = "model.28"
    for together in (
        # Two branches of a RepConv, whose sum is added to the other side of the block.
        {"model.16.m.0.conv1.conv", "model.16.m.0.conv2.conv", "model.16.cv2.conv"},
        # Shortcuts over two blocks, and the depthwise convolution behind them.
        {"model.5.ec.conv", "model.6.ec.conv", "model.7.ec.conv", "model.8.conv"},
        {"model.5.m.0.conv1.conv", "model.5.m.0.conv2.conv"},
        {"model.16.cv1.conv"},
        {"model.12.conv"},
        {"model.11.fc1"},
        {f"{head}.task_adapter_seg.1.conv1.0", f"{head}.task_adapter_seg.1.conv3.0"},
        {f"{head}.gate_det.2.channel_att.1"},
        {f"{head}.decoder.layers.1.linear1"},
        {f"{head}.dec_bbox_head.0.layers.1"},
        # One transposed convolution applied three times writes what it reads.
        {f"{head}.seg_head.{part}" for part in ("proj_s3", "proj_s4", "proj_s5", "deconv_upsample")},
        {f"{head}.seg_head.refine.0"},
    ):
        assert together in tied


def test_what_is_tied_by_norms_gates_and_heads_stays_whole(network):
    shrinking = {path for paths in writers(ChannelGroups(network, "all")) for path in paths}
    head = "model.28"
    for path in (
        "model.10.conv",  # added to what attention answers
        "model.11.fc2",
        f"{head}.input_proj.0.0",  # blended channel by channel with what the adapters make of it
        f"{head}.task_adapter_det.0.conv3.1",
        f"{head}.gate_seg.1.spatial_att.0",
        f"{head}.gate_seg.1.alpha_net.0",
        f"{head}.enc_output.0",
        f"{head}.decoder.layers.0.linear2",
        f"{head}.decoder.layers.0.cross_attn.value_proj",
        f"{head}.decoder.layers.0.cross_attn.sampling_offsets",
        f"{head}.dec_bbox_head.1.layers.2",
        f"{head}.enc_score_head",
        f"{head}.seg_head.refine.3",
    ):
        assert path not in shrinking


def test_regions(network):
    by_region = {region: writers(ChannelGroups(network, region)) for region in network.regions}
    assert next(iter(network.regions)) == "backbone+encoder"
    # A group across the border belongs to the larger region alone.
    assert by_region["backbone"] | by_region["encoder"] <= by_region["backbone+encoder"] < by_region["all"]
    for region in ("adapters", "transformer", "masks"):
        assert by_region[region] and by_region[region] < by_region["all"]
    assert not by_region["backbone+encoder"] & (by_region["adapters"] | by_region["masks"])
    assert set.union(*by_region.values()) == by_region["all"]


@pytest.mark.parametrize("region", RMTPPAD.regions)
def test_every_group_can_shrink_and_the_rest_still_fits(network, region):
    groups = ChannelGroups(network, region)
    model = CostModel(network, groups)
    removed = {group.path: range(0, group.channels, 2 + number % 3) for number, group in enumerate(groups)}
    counts = {path: len(channels) for path, channels in removed.items()}
    expected = model.cost("params", counts), model.cost("macs", counts)
    groups.remove(removed)
    found = cost(network)
    assert expected == pytest.approx((found.parameters, found.macs), abs=0.5)
    assert [part.shape for part in answer(network)] == [part.shape for part in answer(RMTPPAD(0.25, 0.34, SIZE).eval())]
    assert_same(network, network.fused(), 1e-4, fused=True)
    network.train()(torch.rand(2, 3, *SIZE))["lane"].sum().backward()


def test_dead_channels_may_go_where_a_layer_is_used_again_and_again(network):
    decoder = network.model[28].seg_head
    with torch.no_grad():
        for layer in (decoder.proj_s3, decoder.proj_s4, decoder.proj_s5):
            layer.weight[[2, 7]] = layer.bias[[2, 7]] = 0
        decoder.deconv_upsample.weight[:, [2, 7]] = decoder.deconv_upsample.bias[[2, 7]] = 0
        decoder.task_weights.copy_(torch.tensor([[1.0, 2, 3], [3, 0, 1]]))
    before = copy.deepcopy(network)
    groups = ChannelGroups(network, "masks")
    (group,) = [g for g in groups if any(slot.path.endswith("proj_s3") for slot in g.slots)]
    groups.remove({group.path: [2, 7]})
    assert decoder.deconv_upsample.weight.shape[:2] == (14, 14) and decoder.task_weights.shape == (2, 3)
    assert_same(network, before, 1e-5)
