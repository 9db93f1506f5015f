import pytest

from runtime.onnx_graph import read_graph


def test_nodes_are_those_of_the_file(network):
    onnx = pytest.importorskip("onnx")
    expected = [(node.name, tuple(node.input), tuple(node.output)) for node in onnx.load(network).graph.node]
    assert [(node.name, node.inputs, node.outputs) for node in read_graph(network)] == expected
