"""Times read from a profile of the whole network."""

import json
from dataclasses import replace

import pytest

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from compress.latency import layers_of, slimmed, widths_to_measure
from compress.times import read_times
from perception.cost import cost
from perception.errors import InputError
from perception.layer_times import Layer, write_times
from perception.networks.rmt_ppad import RMTPPAD
from perception.networks.yolop import YOLOP


def layer(ms, *modules):
    return {"name": "x", "room": "lane", "ms": ms, "modules": list(modules)}


@pytest.fixture
def report(network, tmp_path):
    """Writes the report of a network with these layers in its profile, which took 10 ms without the profiler."""

    def write(*layers, **changes):
        model = {
            "network": "yolop",
            "parameters": cost(network).parameters,
            "speed": {"network": {"ms": {"p50": 10.0}}},
            "profile": {"layers": layers},
        }
        path = tmp_path / "report.json"
        path.write_text(json.dumps({"schema": "panoedge.report/1", "models": [{**model, **changes}]}))
        return path

    return write


def price(times, path, inputs, outputs):
    return times.of(path, ())(inputs, outputs)


def test_a_layer_follows_its_widths_by_quarters_and_halves(report, network):
    widths = network.model[1].conv.in_channels, network.model[1].conv.out_channels
    times = read_times(report(layer(20.0, "model.1.conv"), layer(5.0)), network)
    # 25 ms with the profiler were 10 without.
    assert times.fixed == pytest.approx(2)
    assert price(times, "model.1.conv", *widths) == pytest.approx(8)
    assert price(times, "model.1.conv", widths[0] / 2, widths[1]) == pytest.approx(8 * (0.25 / 2 + 0.25 + 0.5 / 2))
    assert price(times, "model.1.conv", widths[0], widths[1] / 2) == pytest.approx(8 * (0.25 + 0.25 / 2 + 0.5 / 2))
    assert price(times, "model.1.conv", widths[0] / 2, widths[1] / 2) == pytest.approx(8 * (0.5 / 2 + 0.5 / 4))
    assert price(times, "model.3.conv", 1, 1) == 0


def test_layers_that_a_library_joined_share_by_what_they_compute(report, network):
    csp = network.model[2]
    times = read_times(report(layer(10.0, "model.2.cv2", "model.2.cv3", "model.2.bn")), network)
    first, second = (
        price(times, path, conv.in_channels, conv.out_channels)
        for path, conv in (("model.2.cv2", csp.cv2), ("model.2.cv3", csp.cv3))
    )
    assert first + second == pytest.approx(10) and times.fixed == pytest.approx(0)
    assert first / second == pytest.approx(csp.cv2.weight.numel() / csp.cv3.weight.numel())


def test_parts_of_a_layer_add_up(report, network):
    conv = network.model[1].conv
    times = read_times(report(layer(6.0, "model.1.conv"), layer(4.0, "model.1.conv")), network)
    assert price(times, "model.1.conv", conv.in_channels, conv.out_channels) == pytest.approx(10)


def test_depthwise_layers_follow_the_one_width_they_have(tmp_path, report):
    network = RMTPPAD(width=0.1, depth=0.5, size=(64, 64)).eval()
    (path, conv) = next((p, m) for p, m in network.named_modules() if getattr(m, "groups", 1) > 1)
    told = report(layer(10.0, path), network="rmt-ppad", parameters=cost(network).parameters)
    times = read_times(told, network)
    whole, half = (price(times, path, width, width) for width in (conv.out_channels, conv.out_channels / 2))
    assert (whole, half) == (pytest.approx(10), pytest.approx(5))


def test_a_plan_costs_what_the_pruned_network_would(report, network):
    paths = [path for path, module in network.fused().named_modules() if hasattr(module, "stride")]
    times = read_times(report(*(layer(1.0, path) for path in paths), layer(1.0)), network)
    groups = ChannelGroups(network)
    removed = {group.path: group.channels // 2 for group in groups}
    priced = CostModel(network, groups, times).cost("latency", removed)
    assert CostModel(network, groups, times).cost("latency", {}) == pytest.approx(10)
    groups.remove({path: range(count) for path, count in removed.items()})
    assert priced < 7
    assert CostModel(network, groups, times).cost("latency", {}) == pytest.approx(priced)


def test_what_panoedge_cost_wrote_is_read_too(stairs, network, tmp_path):
    measured = stairs(widths_to_measure(network))
    write_times(tmp_path / "costs.json", measured)
    assert read_times(tmp_path / "costs.json", network) == measured
    one: Layer = layers_of(network)[0]
    assert measured.of("", [one, one])(one.inputs, one.outputs) == pytest.approx(2 * measured.layer(*one))


@pytest.mark.parametrize(
    ("measured_on", "fault"),
    [
        (lambda network: YOLOP(width=0.25, size=(96, 128)), "is of another network, of another input size or mask "),
        (lambda network: slimmed(network, 0.5), "is of a narrower network; conv .* with fewer channels than this one"),
    ],
)
def test_costs_of_another_network_are_refused(stairs, network, tmp_path, measured_on, fault):
    write_times(tmp_path / "costs.json", stairs(widths_to_measure(measured_on(network))))
    with pytest.raises(InputError, match=rf"costs\.json: {fault}.*; measure this one: panoedge cost"):
        read_times(tmp_path / "costs.json", network)


def test_costs_of_another_architecture_are_refused(stairs, network, tmp_path):
    write_times(tmp_path / "costs.json", replace(stairs(widths_to_measure(network)), network="rmt-ppad"))
    with pytest.raises(InputError, match="is of rmt-ppad, not of yolop; measure this one"):
        read_times(tmp_path / "costs.json", network)


def test_costs_hold_for_what_was_pruned_since(stairs, network, tmp_path):
    measured = stairs(widths_to_measure(network))
    write_times(tmp_path / "costs.json", measured)
    assert read_times(tmp_path / "costs.json", slimmed(network, 0.5)) == measured


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"profile": None}, "has no profile; measure again"),
        ({"parameters": 7}, "is of yolop with 7 parameters, not of the checkpoint's yolop with"),
        ({"network": "rmt-ppad"}, "is of rmt-ppad with"),
        ({"speed": None}, "malformed report"),
        ({"profile": {"layers": [layer(1.0)]}}, "do not say which modules they are; export again"),
        ({"profile": {"layers": []}}, "malformed report"),
        ({"profile": {"layers": [layer(-1.0, "model.1.conv"), layer(3.0)]}}, "malformed report"),
        ({"profile": {"layers": [layer(float("nan"), "model.1.conv")]}}, "malformed report"),
        ({"profile": {"layers": [{"name": "of an older version", "room": "lane", "ms": 1.0}]}}, "export again"),
    ],
)
def test_reports_that_cannot_be_used(report, network, changes, fault):
    path = report(layer(1.0, "model.1.conv"), **changes)
    with pytest.raises(InputError, match=fault) as caught:
        read_times(path, network)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_report_of_two_networks(report, network):
    path = report(layer(1.0, "model.1.conv"))
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "models": data["models"] * 2}))
    with pytest.raises(InputError, match="is of 2 networks; measure one alone"):
        read_times(path, network)


def test_a_report_of_what_it_was_before_it_was_pruned(report, network):
    path = report(layer(1.0, "model.1.conv"))
    with pytest.raises(InputError, match="not of the checkpoint"):
        read_times(path, slimmed(network, 0.5))


@pytest.mark.parametrize("text", ["[]", "{}", '{"models": 3}', '{"models": [3]}', "7"])
def test_other_json(network, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json: "):
        read_times(tmp_path / "x.json", network)
