import pytest

from runtime.onnx_graph import Node, read_graph, rooms


def test_nodes_are_those_of_the_file(network):
    onnx = pytest.importorskip("onnx")
    expected = [(node.name, tuple(node.input), tuple(node.output)) for node in onnx.load(network).graph.node]
    assert [(node.name, node.inputs, node.outputs) for node in read_graph(network)] == expected


def test_a_node_belongs_to_the_tasks_that_need_it():
    nodes = [
        Node("stem", ("image",), ("a",)),
        Node("neck", ("a",), ("b",)),
        Node("mask", ("a",), ("m",)),
        Node("boxes", ("b",), ("boxes",)),
        Node("scores", ("b", ""), ("scores", "unused")),
        Node("road", ("m",), ("drivable",)),
        Node("lines", ("m",), ("lane",)),
    ]
    assert rooms(nodes) == {
        "stem": "shared",
        "neck": "detection",
        "mask": "drivable+lane",
        "boxes": "detection",
        "scores": "detection",
        "road": "drivable",
        "lines": "lane",
    }


def test_a_network_of_one_task_shares_nothing_with_others():
    assert rooms([Node("only", ("image",), ("lane",))]) == {"only": "lane"}


def test_a_result_that_nobody_needs_is_nobodys():
    assert rooms([Node("idle", ("image",), ("x",)), Node("road", ("image",), ("drivable",))])["idle"] == "shared"
