import collections
import io
import os
import pathlib
import pickle
import struct
from fractions import Fraction

import numpy as np
import pytest

from perception.errors import InputError
from perception.foreign.records import Name, StandIn
from perception.foreign.unpickle import STEPS, unpickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(data: bytes):
    return unpickle(io.BytesIO(data), lambda identity: ("persistent", identity))


def refused(data: bytes, match: str = "damaged") -> None:
    with pytest.raises(InputError, match=match) as caught:
        read(data)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 250


def called(module: str, name: str, *arguments: object) -> bytes:
    """A pickle that calls a name, in protocol 4, which takes any text for it."""
    inside = pickle.dumps(arguments, 4)[2:-1]
    # Short arguments are not framed.
    inside = inside[9:] if inside[:1] == b"\x95" else inside
    return b"\x80\x04" + b"".join(_text(part) for part in (module, name)) + b"\x93" + inside + b"R."


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol):
    shared = [1, 2]
    value = {
        "numbers": [0, -1, 255, 70_000, 1 << 40, -(1 << 70), 0.5, float("inf"), True, False, None],
        "text": ["", "plain", "Straße\n", "x" * 300],
        "bytes": [b"", b"\x00\xff", b"y" * 300] if protocol >= 3 else [],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        1.5: {"nested": {1: {2: {}}}},
        "sets": {1, "a"} if protocol >= 2 else 0,
        "twice": [shared, shared],
    }
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert found["twice"][0] is found["twice"][1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_container_in_itself(protocol):
    value: list = []
    value.append(value)
    found = read(pickle.dumps(value, protocol))
    assert found[0] is found


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_training_checkpoints_hold_beside_tensors(protocol):
    default = collections.defaultdict(dict, {"state": {0: 1}})
    ordered = collections.OrderedDict(a=1)
    value = {
        "fitness": [np.float64(0.25), np.float32(0.5), np.int64(-3), np.bool_(True), np.dtype(">f8").type(2)],
        "default": default,
        "ordered": ordered,
        "path": pathlib.Path("runs/train"),
        "kind": np.float32,
        "array": np.arange(3),
        "frozen": frozenset({1}),
        "counter": collections.Counter("aa"),
    }
    found = read(pickle.dumps(value, protocol))
    assert found["fitness"] == [0.25, 0.5, -3, True, 2.0]
    assert {type(number) for number in found["fitness"]} == {float, int, bool}
    assert (found["default"], found["ordered"]) == ({"state": {0: 1}}, {"a": 1})
    assert found["kind"] == Name("numpy", "float32")
    assert isinstance(found["array"], StandIn)
    assert found["path"].arguments == ("runs", "train")
    assert found["frozen"] == {1} or isinstance(found["frozen"], StandIn)


def test_numbers_of_the_other_byte_order():
    scalar = b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR(K\x03X\x01\x00\x00\x00>"
    scalar += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbC\x08" + struct.pack(">d", 1.5) + b"\x86R."
    assert read(b"\x80\x03" + scalar) == 1.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_of_unknown_classes_are_records(authors, protocol):
    settings = authors.Settings(imgsz=640)
    block = authors.Network.__new__(authors.Network)
    block.__dict__["anything"] = settings
    found = read(pickle.dumps(block, protocol))
    assert isinstance(found, StandIn)
    assert found.name.endswith(".Network")
    assert found.state["anything"].state == {"imgsz": 640}


class DictionaryLike(dict):
    pass


class ListLike(list):
    pass


@pytest.mark.parametrize("value", [DictionaryLike(a=1), ListLike([1, 2]), Fraction])
@pytest.mark.parametrize("protocol", [2, 4])
def test_collections_of_unknown_classes(value, protocol):
    data = pickle.dumps(value, protocol)
    if value is Fraction:
        refused(data, "fractions.Fraction")
    else:
        assert isinstance(read(data), StandIn)


HOSTILE = [
    ("os", "system", "touch {}"),
    ("posix", "system", "touch {}"),
    ("nt", "system", "touch {}"),
    ("subprocess", "Popen", "touch {}"),
    ("subprocess", "check_output", ["touch", "{}"]),
    ("builtins", "eval", "open('{}', 'w')"),
    ("builtins", "exec", "open('{}', 'w')"),
    ("__builtin__", "eval", "open('{}', 'w')"),
    ("builtins", "open", "{}", "w"),
    ("builtins", "getattr", "text", "upper"),
    ("builtins", "__import__", "os"),
    ("builtins", "int", "1"),
    ("io", "open", "{}", "w"),
    ("sys", "exit", 3),
    ("importlib", "import_module", "os"),
    ("runpy", "run_path", "{}"),
    ("operator", "attrgetter", "system"),
    ("functools", "partial", 1),
    ("pickle", "loads", b"cos\nsystem\n(S'touch {}'\ntR."),
    ("_pickle", "loads", b"cos\nsystem\n(S'touch {}'\ntR."),
    ("pathlib", "Path.touch", "{}"),
    ("ctypes", "CDLL", "libc.so.6"),
    ("socket", "create_connection", ("127.0.0.1", 9)),
    ("webbrowser", "open", "{}"),
    ("torch", "load", "{}"),
    ("torch.hub", "load", "{}", "model"),
    ("torch.hub", "load_state_dict_from_url", "file://{}"),
    ("torch.jit", "load", "{}"),
    ("torch.utils.cpp_extension", "load_inline", "x", "{}"),
    ("torch._utils", "_rebuild_tensor_v3", 1),
    ("torch.serialization", "os.system", "touch {}"),
    ("torch.serialization", "os.Popen", "touch {}"),
    ("numpy", "load", "{}"),
    ("numpy", "save", "{}", 1),
    ("somewhere", "run", "{}"),
    ("some\nwhere", "ru\x1b[2Jn" * 40, "{}"),
]


@pytest.mark.parametrize("call", HOSTILE, ids=lambda call: ascii(".".join(call[:2]))[:40])
def test_calls_are_refused_by_name_and_not_made(tmp_path, call):
    marker = tmp_path / "marker"
    module, name, *arguments = call

    def aimed(value):
        if isinstance(value, bytes):
            return value.replace(b"{}", str(marker).encode())
        if isinstance(value, list):
            return [aimed(part) for part in value]
        return value.replace("{}", str(marker)) if isinstance(value, str) else value

    data = called(module, name, *map(aimed, arguments))
    shown = ascii(f"{module.replace('__builtin__', 'builtins')}.{name}")[1:-1][:80]
    with pytest.raises(InputError) as caught:
        read(data)
    assert f"uses {shown}" in str(caught.value)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 250
    assert not marker.exists()


class Bomb:
    """An object whose reduction runs a command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_reduction_is_not_run(tmp_path, protocol):
    marker = tmp_path / "marker"
    refused(pickle.dumps({"epoch": 3, "bomb": Bomb(marker)}, protocol), r"uses (posix|nt|os)\.system")
    assert not marker.exists()
    # The same data is live ammunition.
    pickle.loads(pickle.dumps(Bomb(marker), protocol))
    assert marker.exists()


def test_names_of_the_standard_library_are_refused_when_only_mentioned():
    refused(b"cos\nsystem\n.", r"uses os\.system")
    refused(b"\x80\x02cbuiltins\neval\n)\x81.", r"uses builtins\.eval")


@pytest.mark.parametrize("name", ["torch.nn.functional relu", "torch float16", "somewhere helper"])
def test_other_names_are_kept_as_names(name):
    module, function = name.split()
    assert read(f"c{module}\n{function}\n.".encode()) == Name(module, function)


def test_an_object_called_is_nothing():
    """What was built cannot be called, whatever its state says."""
    refused(b"\x80\x02csomewhere\nThing\n)\x81}X\x08\x00\x00\x00__call__K\x01sb)R.")


def test_state_is_recorded_and_not_set():
    found = read(b"\x80\x02csomewhere\nThing\n)\x81}X\x09\x00\x00\x00__class__K\x01sb.")
    assert type(found) is StandIn and found.state == {"__class__": 1}
    # Neither names nor plain values take a state.
    for target in (b"csomewhere\nThing\n", b"]", b"K\x01"):
        refused(b"\x80\x02" + target + b"}b.")


@pytest.mark.parametrize(
    ("code", "name"),
    [(b"i", "INST"), (b"(o", "OBJ"), (b"\x82\x01", "EXT1"), (b"P", "PERSID"), (b"\x97", "NEXT_BUFFER")],
)
def test_instructions_that_torch_never_writes(code, name):
    refused(b"\x80\x02" + code + b"os\nsystem\n.", f"the instruction {name},")


def test_persistent_identities():
    assert read(b"\x80\x02K\x05Q.") == ("persistent", 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"K",
        b"\xff.",
        b"0.",
        b"2.",
        b"t.",
        b"\x85.",
        b"K\x01\x86.",
        b"h\x07.",
        b"]K\x01s.",
        b"}K\x01a.",
        b"(K\x01d.",
        b"K\x01K\x02R.",
        b"K\x01)R.",
        b"K\x01)\x81.",
        b"X\xff\xff\xff\xffabc.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x96\x00\x00\x00\x00\x00\x01\x00\x00abc.",
        b"(K\x01K\x02\x000.",
        b"cos\n",
        b"\x80\x04K\x01K\x02\x93.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"X\x01\x00\x00\x00\xff.",
        b"ccollections\nOrderedDict\n(K\x01K\x02K\x03tR.",
    ],
)
def test_damaged(data):
    refused(data)


def test_too_long_to_follow():
    refused(b"\x80\x02" + b"}0" * (STEPS // 2) + b"}.", f"more than {STEPS} steps")


def test_copies_are_counted():
    """A list put into sets again and again would fill the memory from a small file."""
    many = b"(" + b"K\x01" * 5000 + b"lq\x00" + b"cbuiltins\nset\nq\x01"
    refused(b"\x80\x02" + many + b"h\x01h\x00\x85R0" * 2000 + b".", "steps")


def test_deep_nesting_neither_recurses_nor_hangs():
    depth = 200_000
    assert len(read(b"\x80\x02)" + b"\x85" * depth + b".")) == 1
    # As a key it would be hashed: by recursion, and in exponential time where parts are shared.
    assert len(read(b"\x80\x02})" + b"\x85" * depth + b"K\x01s.")) == 1
    assert len(read(b"\x80\x02}K\x01" + b"2\x86" * 60 + b"K\x01s.")) == 1
    assert len(read(b"\x80\x02(K\x01" + b"2\x86" * 60 + b"\x91.")) == 1


def test_keys_are_short_scalars_or_records():
    plain = {1: 0, "text": 0, b"bytes": 0, 0.5: 0, None: 0, False: 0, -(1 << 63): 0}
    assert read(pickle.dumps(plain, 4)) == plain
    for odd in ((1, 2), 1 << 100, "x" * 5000, frozenset({1})):
        (found,) = read(pickle.dumps({odd: 0}, 4))
        assert isinstance(found, StandIn) and found.arguments == (odd,)


LONG = 1_000_000
LONG_TEXT = b"X" + struct.pack("<I", LONG) + b"x" * LONG
LONG_TUPLE = b"(" + b"N" * 100_000 + b"t"


@pytest.mark.parametrize(
    ("begin", "step"),
    [
        (LONG_TEXT + b"\x94" + b"2\x93", b""),
        (LONG_TEXT + b"\x94}", b"h\x00Ns"),
        (LONG_TUPLE + b"\x94}", b"h\x00Ns"),
        (LONG_TUPLE + b"\x94csomewhere\nThing\n\x94", b"h\x01h\x00R0"),
        (LONG_TUPLE + b"\x94csomewhere\nThing\n\x94", b"h\x01h\x00\x810"),
        (LONG_TUPLE + b"\x94", b"h\x00Q0"),
    ],
    ids=["name", "text key", "tuple key", "call", "object", "identity"],
)
def test_no_step_works_through_a_long_object_again(begin, step):
    """Quick each time: a hundred thousand times a hundred thousand would not come to an end."""
    data = b"\x80\x04" + begin + step * 50_000 + b"."
    try:
        unpickle(io.BytesIO(data), lambda identity: None)
    except InputError as error:
        assert "longer than any name" in str(error)


def test_places_in_the_memo_made_to_collide():
    refused(b"N" + b"p%d\n" % (1 << 61) + b".")


def test_memory_is_not_set_aside_for_a_claim():
    assert read(b"\x80\x02K\x01r\xff\xff\xff\x7f.") == 1
