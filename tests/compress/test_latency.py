import pytest
import torch
from torch import nn

from compress.groups import ChannelGroups
from compress.latency import grid, layer_runs, layers_of, slimmed, widest_region, widths_to_measure
from perception.checkpoint import layer_widths
from perception.cost import work
from perception.layer_times import Kind, Layer
from perception.networks.base import Network
from perception.networks.rmt_ppad import RMTPPAD
from perception.spec import InputSpec


class Everything(Network):
    """One layer of each kind, the second of which runs twice."""

    name = "everything"
    taps, protected = {}, ()
    regions = {"all": ("a", "b", "c", "d", "e", "f")}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 64))
        self.a = nn.Conv2d(3, 16, 3, 2, 1)
        self.b = nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=16)
        self.c = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.d = nn.ConvTranspose2d(16, 8, 2, 2)
        self.e = nn.Linear(8, 24)
        self.f = nn.Linear(24, 5)

    def forward(self, images):
        x = self.d(self.c(self.b(self.b(self.a(images)))))
        return {"tokens": self.f(self.e(x.flatten(2).transpose(1, 2)))}


def test_layers_as_they_run():
    network = Everything().eval()
    assert layer_runs(network, work(network)) == {
        "a": [Layer(Kind("conv", (32, 64), (3, 3), (2, 2), (1, 1)), 3, 16)],
        "b": [Layer(Kind("depthwise", (16, 32), (3, 3), (1, 1), (2, 2), (2, 2)), 1, 16)] * 2,
        "c": [],
        "d": [Layer(Kind("transposed", (16, 32), (2, 2), (2, 2)), 16, 8)],
        "e": [Layer(Kind("linear", (2048, 1)), 8, 24)],
        "f": [Layer(Kind("linear", (2048, 1)), 24, 5)],
    }


class Enlarging(Network):
    """Upsampled twice, and read by a convolution each time that asks for a pair or does not."""

    name = "enlarging"
    taps, protected, regions = {}, (), {"all": ("a", "b", "c")}

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((32, 64))
        self.up = nn.Upsample(scale_factor=2)
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 4, 3, 1, 1), nn.Conv2d(4, 4, 1)

    def forward(self, images):
        return {"mask": self.c(self.up(self.b(self.up(self.a(images)))))}


def test_convolutions_of_what_was_just_upsampled_go_with_it():
    network = Enlarging().eval()
    size = ((3, 3), (1, 1), (1, 1))
    assert layer_runs(network, work(network)) == {
        "a": [Layer(Kind("conv", (32, 64), *size), 3, 8)],
        "b": [Layer(Kind("upsampled", (32, 64), *size), 8, 4)],
        "c": [Layer(Kind("conv", (128, 256)), 4, 4)],
    }


@pytest.mark.parametrize(
    "widths, measured",
    [
        ({3, 16}, (3, 4, 8, 16)),
        ({12}, (4, 8, 12)),
        ({48, 18}, (8, 16, 18, 24, 32, 40, 48)),
        ({512, 256}, (8, 128, 136, 256, 264, 384, 392, 512)),
        ({1}, (1,)),
    ],
)
def test_grid_has_steps_and_what_is_just_above_them(widths, measured):
    assert grid(widths) == measured


def test_every_layer_lies_within_what_is_measured(network):
    measured = widths_to_measure(network)
    for share in (1.0, 0.5):
        for layer in layers_of(slimmed(network, share)):
            axes = measured[layer.kind]
            assert axes.inputs[0] <= layer.inputs <= axes.inputs[-1]
            assert axes.outputs[0] <= layer.outputs <= axes.outputs[-1]


def test_kinds_of_layers_that_can_shrink_are_measured():
    network = RMTPPAD(width=0.1, depth=0.5, size=(64, 64)).eval()
    assert widest_region(network) == "all"
    deployed = network.fused()
    runs = layer_runs(deployed, work(deployed))
    shrinking = {slot.path for group in ChannelGroups(network, "all") for slot in group.slots}
    measured = widths_to_measure(network)
    assert {kind.operator for kind in measured} >= {"conv", "depthwise", "linear"}
    assert {layer.kind for path in shrinking & runs.keys() for layer in runs[path]} == set(measured)


def test_slimmed_widths_are_whole_blocks(network):
    before, slim = layer_widths(network), slimmed(network, 0.5)
    for group in ChannelGroups(slim):
        assert group.channels % 8 == 0 or group.channels < 8
        assert before[group.path][1] / 2 <= group.channels <= max(before[group.path][1] / 2 + 8, 8)
    assert layer_widths(network) == before
    with torch.no_grad():
        assert slim(torch.zeros(1, 3, 64, 96))["lane"].shape == (1, 2, 64, 96)
