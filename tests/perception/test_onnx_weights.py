import numpy as np
import pytest

from perception.errors import InputError
from perception.onnx_weights import check_self_contained

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
VALUE = helper.make_tensor_value_info("y", FLOAT, [1, 4])


def tensor(elsewhere):
    """A weight, in the file ``elsewhere`` where one is named."""
    made = onnx.numpy_helper.from_array(np.ones((1, 4), np.float32), "weight")
    if elsewhere:
        made.ClearField("raw_data")
        made.data_location = onnx.TensorProto.EXTERNAL
        made.external_data.add(key="location", value=elsewhere)
    return made


def as_weight(weight):
    node = helper.make_node("Identity", ["weight"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", [], [VALUE], [weight]))


def as_constant(weight):
    return helper.make_model(helper.make_graph([constant(weight)], "g", [], [VALUE]))


def constant(weight):
    return helper.make_node("Constant", [], ["y"], value=weight)


def in_a_branch(weight):
    branch = helper.make_graph([constant(weight)], "b", [], [VALUE])
    node = helper.make_node("If", ["which"], ["y"], then_branch=branch, else_branch=branch)
    which = helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, [])
    return helper.make_model(helper.make_graph([node], "g", [which], [VALUE]))


def in_a_function(weight):
    opset = [helper.make_opsetid("", 18)]
    function = helper.make_function("own", "f", [], ["y"], [constant(weight)], opset)
    node = helper.make_node("f", [], ["y"], domain="own")
    graph = helper.make_graph([node], "g", [], [VALUE])
    return helper.make_model(graph, functions=[function], opset_imports=[*opset, helper.make_opsetid("own", 1)])


def as_sparse_weight(weight):
    graph = helper.make_graph([helper.make_node("Identity", ["weight"], ["y"])], "g", [], [VALUE])
    graph.sparse_initializer.add(values=weight, dims=[1, 4])
    return helper.make_model(graph)


PLACES = (as_weight, as_constant, in_a_branch, in_a_function, as_sparse_weight)


@pytest.mark.parametrize("place", PLACES)
def test_a_weight_in_another_file_is_refused_wherever_it_is_used(tmp_path, place):
    path = tmp_path / "a.onnx"
    onnx.save(place(tensor(None)), path)
    check_self_contained(path)
    path.write_bytes(place(tensor("/etc/hostname")).SerializeToString())
    with pytest.raises(InputError, match=r"a\.onnx: keeps weights in another file, which is not opened"):
        check_self_contained(path)


@pytest.mark.parametrize("content", [b"not a network", b"\x3a\x05one", b"\x3b"])
def test_what_cannot_be_looked_through_is_refused(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(InputError, match="not an ONNX file, or cut short"):
        check_self_contained(tmp_path / "a.onnx")
