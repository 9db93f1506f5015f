import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from panoedge.estimate.graph import kernels
from perception.errors import InputError


@pytest.fixture
def saved(tmp_path):
    """Writes a graph of these nodes; the input is x, weights are given by shape."""

    def save(nodes, weights=None, shape=(1, 4, 8, 8), outputs=("y",), kind=TensorProto.FLOAT):
        initialisers = [
            numpy_helper.from_array(np.ones(dims, np.float32), name) for name, dims in (weights or {}).items()
        ]
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            initialisers,
        )
        file = tmp_path / "network.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), file)
        return file

    return save


def conv(inputs, weight, output, **attributes):
    return helper.make_node("Conv", [inputs, weight], [output], name=output, **attributes)


PIXELS, CHANNELS = 64, 4
PLANE = PIXELS * CHANNELS * 2  # bytes of a map of 4 x 8 x 8 in FP16


def test_convolution_with_its_activation_is_one_launch(saved):
    nodes = [
        conv("x", "w", "a", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["a"], ["s"]),
        helper.make_node("Mul", ["a", "s"], ["y"]),
    ]
    (kernel,) = kernels(saved(nodes, {"w": (4, 4, 3, 3)}))
    assert (kernel.name, kernel.operator) == ("a", "Conv")
    assert kernel.macs == PIXELS * 4 * 4 * 9
    assert kernel.bytes == 2 * PLANE + 4 * 4 * 9 * 2, "what lies in between never reaches memory"


def test_residual_sum_joins_the_later_convolution(saved):
    nodes = [
        conv("x", "v", "a"),
        conv("a", "w", "b"),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    first, second = kernels(saved(nodes, {"v": (4, 4, 1, 1), "w": (4, 4, 1, 1)}))
    weights = 4 * 4 * 2
    assert first.bytes == 2 * PLANE + weights
    assert second.bytes == 2 * PLANE + weights, "reads the first map, once, and writes the sum"


def test_a_small_map_does_not_take_in_a_large_one(saved):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["x", "mean"], ["y"]),
    ]
    assert [kernel.operator for kernel in kernels(saved(nodes))] == ["ReduceMean", "Mul"]


def test_concatenation_and_reshaping_are_free(saved):
    nodes = [
        conv("x", "v", "a"),
        conv("x", "w", "b"),
        helper.make_node("Concat", ["a", "b"], ["c"], axis=1),
        helper.make_node("Split", ["c"], ["d", "e"], axis=1, num_outputs=2),
        helper.make_node("Flatten", ["e"], ["y"]),
    ]
    found = kernels(saved(nodes, {"v": (4, 4, 1, 1), "w": (4, 4, 1, 1)}))
    assert [kernel.name for kernel in found] == ["a", "b"]
    assert all(kernel.bytes == 2 * PLANE + 32 for kernel in found), "both are written, each once"


def test_a_quantised_file_is_that_of_fp16(saved):
    weights = {"v": (4, 4, 1, 1), "w": (4, 4, 1, 1)}
    plain = kernels(saved([conv("x", "v", "a"), conv("a", "w", "y")], weights))
    scales = {name: helper.make_node("Constant", [], [name], value_float=0.5) for name in ("s",)}
    quantised = [
        *scales.values(),
        helper.make_node("QuantizeLinear", ["v", "s"], ["vq"]),
        helper.make_node("DequantizeLinear", ["vq", "s"], ["vd"]),
        conv("x", "vd", "a"),
        helper.make_node("QuantizeLinear", ["a", "s"], ["aq"]),
        helper.make_node("DequantizeLinear", ["aq", "s"], ["ad"]),
        conv("ad", "w", "y"),
    ]
    assert kernels(saved(quantised, weights)) == plain


def test_only_the_part_that_is_read_counts(saved):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Split", ["r"], ["a", "b"], axis=1, num_outputs=2),
        conv("a", "w", "y"),
    ]
    relu, product = kernels(saved(nodes, {"w": (4, 2, 1, 1)}))
    assert relu.bytes == 2 * PLANE
    assert product.bytes == PLANE // 2 + 4 * 2 * 2 + PLANE


@pytest.mark.parametrize(
    ("node", "weight", "shape", "macs"),
    [
        (conv("x", "w", "y", group=4, pads=[1, 1, 1, 1]), (4, 1, 3, 3), (1, 4, 8, 8), 64 * 4 * 9),
        (conv("x", "w", "y", strides=[2, 2]), (8, 4, 1, 1), (1, 4, 8, 8), 16 * 8 * 4),
        (
            helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]),
            (4, 6, 2, 2),
            (1, 4, 8, 8),
            64 * 4 * 6 * 4,
        ),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (5, 7), (2, 3, 5), 2 * 3 * 5 * 7),
        (helper.make_node("Gemm", ["x", "w"], ["y"]), (5, 7), (3, 5), 3 * 5 * 7),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1, transB=1), (7, 5), (5, 3), 3 * 5 * 7),
        (helper.make_node("Relu", ["x"], ["y"]), None, (1, 4, 8, 8), 0),
    ],
)
def test_multiply_accumulates(saved, node, weight, shape, macs):
    (kernel,) = kernels(saved([node], {"w": weight} if weight else None, shape))
    assert kernel.macs == macs


def test_pictures_are_bytes(saved):
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    (kernel,) = kernels(saved(nodes, kind=TensorProto.UINT8))
    assert kernel.bytes == PLANE // 2 + PLANE


def test_what_follows_from_shapes_alone_is_not_launched(saved):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Add", ["x", "zeros"], ["y"]),
    ]
    assert [kernel.operator for kernel in kernels(saved(nodes))] == ["Add"]


def test_open_shapes_are_refused(saved):
    file = saved([conv("x", "w", "y")], {"w": (4, 4, 1, 1)}, ("batch", 4, 8, 8))
    with pytest.raises(InputError, match=r"network\.onnx: the shape of \w+ is open; export it with a fixed size"):
        kernels(file)


def test_files_that_are_no_network(tmp_path, saved):
    (tmp_path / "text.onnx").write_text("not a network at all")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name, fault in (
        ("text", "not a valid ONNX file"),
        ("empty", "holds no operators"),
        ("absent", "cannot be read"),
    ):
        with pytest.raises(InputError, match=f"{name}.onnx: {fault}"):
            kernels(tmp_path / f"{name}.onnx")


def test_an_operator_that_gives_nothing_is_no_operator(saved):
    with pytest.raises(InputError, match=r"network\.onnx: its operators make no sense"):
        kernels(saved([conv("x", "w", "y"), helper.make_node("Unknown", ["y"], [])], {"w": (4, 4, 1, 1)}))


def test_views_of_views_do_not_take_for_ever(saved):
    doubled = [helper.make_node("Concat", [f"a{i}", f"a{i}"], [f"a{i + 1}"], axis=0) for i in range(30)]
    (kernel,) = kernels(saved([conv("x", "w", "a0"), *doubled], {"w": (4, 4, 1, 1)}, outputs=("a30",)))
    assert kernel.name == "a0"
    pieces = [helper.make_node("Concat", [f"a{i}", "a0"], [f"a{i + 1}"], axis=0) for i in range(1500)]
    readers = [helper.make_node("Relu", [f"a{i}"], [f"r{i}"]) for i in range(1500)]
    nodes = [conv("x", "w", "a0"), *pieces, *readers]
    with pytest.raises(InputError, match="views of views beyond any network"):
        kernels(saved(nodes, {"w": (4, 4, 1, 1)}, outputs=("r1499",)))


def test_what_moves_nothing_is_no_network(saved):
    with pytest.raises(InputError, match="holds no operators"):
        kernels(saved([helper.make_node("Relu", ["elsewhere"], ["y"])]))
