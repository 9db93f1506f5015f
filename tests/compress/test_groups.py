import copy

import pytest
import torch

from compress.groups import ChannelGroups, channel_sums
from perception.errors import InputError
from perception.networks.base import Network
from perception.networks.yolop import YOLOP
from perception.spec import InputSpec


class _Joined(Network):
    """A residual sum, a concatenation of unequal parts, batch norm, a transposed and a depthwise convolution."""

    name = "joined"
    taps = {}  # noqa: RUF012
    regions = {"all": ("first", "again", "back", "side", "tail", "each"), "tail": ("tail", "each")}  # noqa: RUF012
    protected = ("out",)

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.spec = InputSpec((32, 32))
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.again = nn.Conv2d(6, 5, 1)
        self.back = nn.Conv2d(5, 6, 1)
        self.side = nn.Conv2d(3, 4, 1)
        self.both = nn.BatchNorm2d(10)
        self.tail = nn.ConvTranspose2d(10, 7, 2, 2)
        self.each = nn.Conv2d(7, 7, 3, padding=1, groups=7)
        self.out = nn.Conv2d(7, 2, 1)

    def forward(self, images):
        x = self.norm(self.first(images))
        x = x + self.back(self.again(x))
        x = self.both(torch.cat((x, self.side(images)), 1))
        return {"logits": self.out(self.each(self.tail(x)))}


def total(network):
    return sum(float(parameter.detach().double().sum()) for parameter in network.parameters())


def spread(network):
    """Every weight an own number, so that a sum tells which weights it is of."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def group_of(groups, path):
    """The group that takes channels out of the layer ``path``."""
    (found,) = [group for group in groups if (path, "out") in {(slot.path, slot.side) for slot in group.slots}]
    return found


def assert_sums_are_what_removal_takes(network, path, channel):
    """A channel's sum over the parameters must be what their grand total loses with the channel."""
    smaller = copy.deepcopy(network)
    groups = ChannelGroups(smaller)
    group = group_of(groups, path)
    expected = channel_sums(group, {name: value.detach() for name, value in smaller.named_parameters()})[channel]
    before = total(smaller)
    groups.remove({group.path: [channel]})
    assert before - total(smaller) == pytest.approx(float(expected), abs=1e-4)


def test_residual_sums_are_one_group_and_concatenations_are_not():
    groups = list(ChannelGroups(_Joined()))
    assert sorted(group.channels for group in groups) == [4, 5, 6, 7]
    tied = {(slot.path, slot.side) for slot in group_of(groups, "first").slots}
    writers, readers, norms = {"first", "back"}, {"again", "tail"}, {"norm", "both"}
    assert tied == {(path, "out") for path in writers} | {(p, "in") for p in readers} | {(p, "norm") for p in norms}
    behind = {slot.path: slot.index.tolist() for slot in group_of(groups, "side").slots}
    assert behind == {"side": [0, 1, 2, 3], "both": [6, 7, 8, 9], "tail": [6, 7, 8, 9]}


@pytest.mark.parametrize("path", ["first", "again", "side", "tail"])
def test_channel_sums_equal_brute_force(path):
    network = spread(_Joined())
    for channel in (0, 2, 3):
        assert_sums_are_what_removal_takes(network, path, channel)


@pytest.mark.parametrize("path", ["model.2.cv1.conv", "model.6.cv3", "model.8.cv1.conv", "model.17.cv4.conv"])
def test_channel_sums_equal_brute_force_in_yolop(network, path):
    assert_sums_are_what_removal_takes(spread(network), path, 3)


def test_sums_of_absent_gradients_are_zero():
    group = next(iter(ChannelGroups(_Joined())))
    assert channel_sums(group, {}).tolist() == [0] * group.channels


def test_any_group_can_shrink_and_the_network_still_runs(network):
    groups = ChannelGroups(network)
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        before = network(images)
        for group in groups:
            groups.remove({group.path: range(0, group.channels, 3)})
            after = network(images)
    assert [part.shape for part in after["detection"]] == [part.shape for part in before["detection"]]
    assert after["drivable"].shape == before["drivable"].shape
    for path in network.protected:
        for name, module in network.get_submodule(path).named_modules():
            if isinstance(module, torch.nn.Conv2d):
                assert module.out_channels == YOLOP(0.25).get_submodule(f"{path}.{name}".rstrip(".")).out_channels


def test_groups_cover_every_layer_that_may_shrink(network):
    groups = list(ChannelGroups(network))
    producers = [slot.path for group in groups for slot in group.slots if slot.side == "out"]
    protected = ("model.24.", "model.33.", "model.42.")
    convolutions = {path for path, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)}
    assert set(producers) == {path for path in convolutions if not path.startswith(protected)}
    assert len(producers) == len(set(producers))
    assert {group.path for group in groups} <= set(producers)


def test_removed_channels_are_the_ones_asked_for(network):
    layer = network.model[1].conv
    kept = layer.weight[[0, 2, 3, 5, *range(7, 16)]].clone()
    ChannelGroups(network).remove({"model.1.conv": [6, 1, 4]})
    assert torch.equal(network.model[1].conv.weight, kept)
    assert network.model[1].bn.num_features == network.model[2].cv1.conv.in_channels == 13


def test_removing_dead_channels_changes_nothing(network):
    """A channel that is zero after its batch norm and activation may go."""
    with torch.no_grad():
        network.model[1].bn.weight[[2, 9]] = 0
        network.model[1].bn.bias[[2, 9]] = 0
        images = torch.rand(1, 3, 64, 96)
        before = network(images)
    ChannelGroups(network).remove({"model.1.conv": [2, 9], "model.5.conv": []})
    with torch.no_grad():
        after = network(images)
    assert torch.allclose(before["lane"], after["lane"], atol=1e-5)
    assert torch.allclose(before["detection"][2], after["detection"][2], atol=1e-5)


def test_region_keeps_the_rest_whole(network):
    everything = {group.path for group in ChannelGroups(network)}
    inside = {group.path for group in ChannelGroups(network, "backbone+neck")}
    assert inside == {path for path in everything if int(path.split(".")[1]) < 24}
    (tail,) = ChannelGroups(_Joined(), "tail")
    assert {slot.path for slot in tail.slots} == {"tail", "each", "out"}


def test_layers_to_keep_hold_what_is_tied_to_them():
    assert {group.channels for group in ChannelGroups(_Joined(), keep=["back", "tail"])} == {5, 4}


def test_a_part_to_keep_is_kept_with_all_its_layers(network):
    kept = {group.path for group in ChannelGroups(network, "backbone+neck", keep=["model.2", "model.17"])}
    everything = {group.path for group in ChannelGroups(network, "backbone+neck")}
    assert everything - kept == {path for path in everything if path.split(".")[1] in ("2", "17")} != set()


def test_what_a_layer_to_keep_normalises_is_kept():
    assert {group.channels for group in ChannelGroups(_Joined(), keep=["norm"])} == {5, 4, 7}
    assert {group.channels for group in ChannelGroups(_Joined(), keep=["both"])} == {5, 7}


@pytest.mark.parametrize("path", ["model.99", "", "model.1.act"])
def test_a_layer_to_keep_that_is_not_there(network, path):
    with pytest.raises(InputError, match=f"keep '{path}': yolop has no such layer, see panoedge info --layers"):
        ChannelGroups(network, keep=["model.1", path])


def test_nothing_left_to_go_beside_what_is_kept(network):
    with pytest.raises(InputError, match="no channels there that may go, beside what is to keep them"):
        ChannelGroups(network, "backbone", keep=["model"])


def test_a_region_without_channels_that_may_go(network):
    network.regions = {"upsampling": ("model.11",)}
    with pytest.raises(InputError, match="region upsampling: yolop has no channels there that may go"):
        ChannelGroups(network)


def test_unknown_region_lists_the_known(network):
    with pytest.raises(InputError, match="'heads': yolop has all, backbone"):
        ChannelGroups(network, "heads")


def test_tracing_leaves_the_network_as_it_was(network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    ChannelGroups(network)
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


class _Tied(Network):
    """Channels that a layer norm, a convolution by groups and a bare parameter tie, and some that weights of whole
    maps scale."""

    name = "tied"
    taps = {}  # noqa: RUF012
    regions = {"all": ("normed", "grouped", "scaled", "weighed")}  # noqa: RUF012
    protected = ()

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.spec = InputSpec((32, 32))
        self.normed, self.grouped, self.scaled, self.weighed = (nn.Conv2d(3, 8, 1) for _ in range(4))
        self.norm = nn.LayerNorm(8)
        self.by_groups = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.scale = nn.Parameter(torch.ones(1, 8, 1, 1))
        self.weights = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        self.heads = nn.ModuleList(nn.Conv2d(8, 1, 1) for _ in range(4))

    def forward(self, images):
        weights = self.weights.softmax(1)
        parts = (
            self.norm(self.normed(images).permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
            self.by_groups(self.grouped(images)),
            self.scaled(images) * self.scale,
            self.weighed(images) * weights[0, 1] + self.weighed(images.flip(3)) * weights[1, 0],
        )
        return {"logits": [head(part) for head, part in zip(self.heads, parts, strict=True)]}


def test_what_cannot_be_resized_ties_its_channels_for_good():
    network = _Tied()
    images = torch.rand(1, 3, 32, 32)
    groups = ChannelGroups(network)
    assert [group.path for group in groups] == ["weighed"]
    network.weighed.weight.data[5], network.weighed.bias.data[5] = 0, 0
    with torch.no_grad():
        before = network(images)["logits"]
        groups.remove({"weighed": [5]})
        after = network(images)["logits"]
    assert network.weighed.out_channels == 7 and network.weights.shape == (2, 2)
    assert all(torch.allclose(mine, its, atol=1e-6) for mine, its in zip(before, after, strict=True))


def test_large_pictures_are_not_traced_in_full(network, monkeypatch):
    seen = []
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda images: seen.append(images.shape[2:]) or forward(images))
    network.spec = InputSpec((640, 96))
    small = {group.path for group in ChannelGroups(network)}
    assert seen == [(256, 96)]
    network.spec = InputSpec((64, 96))
    assert small == {group.path for group in ChannelGroups(network)}
