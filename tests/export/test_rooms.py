import onnx
import onnx_ir as ir
import pytest
from torch import nn

from export.rooms import name_layers, name_rooms
from perception.rooms import layers_in, rooms_in
from perception.tasks import TASKS, output_names


def rooms(files, precision="fp32"):
    """Rooms of all nodes of an exported file, by the names of their outputs."""
    graph = onnx.load(files[precision]).graph
    return {node.output[0]: rooms_in(node.name) for node in graph.node}, graph


def test_every_node_of_an_exported_file_has_a_room(files):
    for precision in files:
        by_output, _ = rooms(files, precision)
        assert all(len(room) == 1 for room in by_output.values())
        assert {room for (room,) in by_output.values()} == {"backbone", "encoder", "detection", "drivable", "lane"}


def test_rooms_are_those_of_the_modules(files):
    _, graph = rooms(files)
    expected = {**dict.fromkeys(range(10), "backbone"), **dict.fromkeys(range(10, 17), "encoder")}
    # What follows is the path aggregation, which only detection needs, and the heads.
    expected |= dict.fromkeys(range(17, 25), "detection")
    expected |= dict.fromkeys(range(25, 34), "drivable") | dict.fromkeys(range(34, 43), "lane")
    seen = set()
    for node in graph.node:
        for name in node.input:
            if name.startswith("network.model."):
                module = int(name.split(".")[2])
                seen.add(module)
                assert rooms_in(node.name) == [expected[module]]
    assert len(seen) > 25


def test_what_leads_to_the_first_weight_outside_is_still_the_backbone(files):
    by_output, graph = rooms(files)
    first = next(node for node in graph.node if "network.model.10.conv.weight" in node.input)
    assert rooms_in(first.name) == ["encoder"]
    assert by_output[first.input[0]] == ["backbone"]


def test_the_border_keeps_its_names(files):
    _, graph = rooms(files)
    assert [value.name for value in (*graph.input, *graph.output)] == ["image", *output_names(TASKS)]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_convolution_is_called_as_its_module(files, network, precision):
    graph = onnx.load(files[precision]).graph
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    paths = [layers_in(node.name) for node in graph.node if node.op_type == "Conv"]
    expected = [path for path, module in network.fused().named_modules() if isinstance(module, nn.Conv2d)]
    assert sorted(paths) == sorted([path] for path in expected)


def test_what_a_layer_gives_is_the_layers_as_long_as_it_is_computed_with_alone(files):
    graph = onnx.load(files["fp32"]).graph
    owner = {node.output[0]: layers_in(node.name) for node in graph.node}
    for node in graph.node:
        if node.op_type in ("HardSwish", "LeakyRelu"):
            assert owner[node.output[0]] == owner[node.input[0]] == layers_in(node.output[0]) != []
        elif node.op_type in ("Resize", "Concat", "Reshape", "DepthToSpace", "Add"):
            assert not owner[node.output[0]]


def test_what_runs_twice_has_two_names():
    graph = small_graph()
    for node in graph:
        if len(node.inputs) > 1:
            node.replace_input_with(1, graph.initializers["network.stem.weight"])
    name_layers(graph)
    assert [node.name for node in graph] == ["network.stem", "act", *(f"network.stem/{n}" for n in (1, 2, 3))]


def test_what_the_network_itself_has_is_of_no_layer():
    graph = small_graph()
    graph.initializers["network.stem.weight"].name = "network.scale"
    name_layers(graph)
    assert [node.name for node in graph][:3] == ["stem", "act", "network.neck"]


def small_graph(outputs=("drivable", "lane")) -> ir.Graph:
    """stem, neck, and one node for each output; each with a weight of its own."""

    def node(name: str, source: str, result: str) -> onnx.NodeProto:
        return onnx.helper.make_node("Add", [source, f"network.{name}.weight"], [result], name=name)

    nodes = [
        node("stem", "image", "a"),
        onnx.helper.make_node("Relu", ["a"], ["b"], name="act"),
        node("neck", "b", "c"),
    ]
    nodes += [node(f"head.{output}", "c", output) for output in outputs]
    value = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("image", *outputs)]
    weights = [onnx.helper.make_tensor(name, 1, [1], [0]) for item in nodes for name in item.input[1:]]
    graph = onnx.helper.make_graph(nodes, "small", value[:1], value[1:], weights)
    return ir.from_proto(onnx.helper.make_model(graph)).graph


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [(("stem",), ["backbone", "backbone", "encoder", "drivable", "lane"]), ((), [*["shared"] * 3, "drivable", "lane"])],
)
def test_a_network_that_does_not_tell_its_backbone(backbone, expected):
    graph = small_graph()
    name_rooms(graph, backbone)
    assert [rooms_in(str(node.name))[0] for node in graph] == expected


def test_a_network_of_one_task_shares_nothing():
    graph = small_graph(("lane",))
    name_rooms(graph, ("stem",))
    assert {rooms_in(str(node.name))[0] for node in graph} == {"lane"}


def test_the_beginning_of_a_path_is_a_whole_part_of_it():
    graph = small_graph()
    name_rooms(graph, ("ste",))
    assert rooms_in(str(next(iter(graph)).name)) == ["encoder"]


def test_nodes_without_a_name_get_different_ones():
    graph = small_graph()
    for node in graph:
        node.name = None
    name_rooms(graph, ())
    assert [node.name for node in graph] == ["shared/a", "shared/b", "shared/c", "drivable/drivable", "lane/lane"]
