import pytest
import torch

from perception.errors import InputError
from perception.foreign import TorchFile, Weights, find_weights
from perception.foreign.records import StandIn
from perception.foreign.tensors import Storage, TensorView

TENSOR = TensorView(Storage("0", torch.float32, 1), 0, (1,), (1,))


def module(**state) -> StandIn:
    return StandIn("somewhere.Thing", (), state)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_modules_weights_are_its_state_dict(network, save, options):
    expected = network.state_dict()
    file = TorchFile.open(save({"ema": network, "model": None}, **options))
    weights = find_weights(file.content)
    found = file.tensors(weights.views)
    assert weights.entry == "ema"
    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_where_weights_are_looked_for():
    net = module(_parameters={"weight": TENSOR})
    table = {"weight": TENSOR}
    assert find_weights({"model": net, "ema": None}) == ("model", table)
    assert find_weights({"model": module(), "ema": net}) == ("ema", table)
    assert find_weights({"model": "its name", "state_dict": table}) == ("state_dict", table)
    assert find_weights(table) == find_weights(net) == ("", table)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"model": "name"}, {"state_dict": {"a": 1}}, {1: TENSOR}, module(), StandIn("x.Y", (), ({}, {}))],
    ids=str,
)
def test_no_weights(content):
    with pytest.raises(InputError, match="holds no weights"):
        find_weights(content)


def test_attributes_of_other_kinds_than_a_modules():
    inner = module(_parameters={"w": TENSOR, 4: TENSOR}, _non_persistent_buffers_set=["w"])
    odd = module(_parameters=[TENSOR], _buffers="x", _modules={"a": TENSOR, module(): inner, "b": inner})
    assert find_weights(odd).views == {"b.w": TENSOR}


def test_modules_that_hold_each_other():
    circle = module(_parameters={"weight": TENSOR}, _modules={})
    circle.state["_modules"]["self"] = circle
    with pytest.raises(InputError, match="without end"):
        find_weights(circle)


def test_names_too_long_to_join():
    with pytest.raises(InputError, match="without end"):
        find_weights(module(_parameters={"x" * 2000: TENSOR}))


def test_modules_that_share_parts_at_every_level():
    """Thirty objects that are a billion paths, with weights at their ends and without."""
    for leaf in (module(_parameters={"weight": TENSOR}), module()):
        tree = leaf
        for _ in range(30):
            tree = module(_modules={"a": tree, "b": tree})
        with pytest.raises(InputError, match="without end"):
            find_weights(tree)


def test_differences_are_counted_and_quoted():
    weights = Weights("", {"a": TENSOR, "b": TENSOR, **{f"more.{index}": TENSOR for index in range(5)}})
    weights.check(dict.fromkeys(weights.views, (1,)))
    with pytest.raises(InputError) as caught:
        weights.check({"a": (1,), "b": (2, 3), "c": (1,)})
    assert str(caught.value) == (
        "not the weights of the network as published: 1 missing (c); 5 unknown (more.0, more.1, more.2, ...); "
        "1 of another shape (b (1,) instead of (2, 3))"
    )
