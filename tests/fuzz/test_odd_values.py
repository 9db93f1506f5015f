"""Every field of every JSON file in turn absent, or of a value that none has: mutated bytes seldom get there."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzz.targets import targets, warm_up
from fuzz.verdict import Judge

ODD = (None, True, -1, 1.5, 1e308, math.nan, 10**400, "\n\x1b[31m", "x" * 3000, "../a", [], {}, [None], {"a": {"b": 1}})
# Whose seeds are no JSON, or whose reading is of another file's.
OTHERS = {"checkpoint", "training-state", "torch-file", "torch-pickle", "onnx", "onnx-weights", "onnx-graph"}
OTHERS |= {"answers", "labels-txt", "mask", "image", "overlay-name", "board", "report-page"}
NAMES = [name for name in targets(Path()) if name not in OTHERS]


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each dictionary or list within, with each of its keys."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield tree, key
        yield from places(tree[key])


def variants(whole: Any) -> Iterator[Any]:
    """Copies of ``whole``, each with one thing that is odd."""
    tree = copy.deepcopy(whole)
    for holder, key in list(places(tree)):
        before = holder[key]
        for odd in ODD:
            holder[key] = odd
            yield tree
        holder[key] = before
        if isinstance(holder, dict):
            items = list(holder.items())
            del holder[key]
            yield tree
            holder.clear()
            holder.update(items)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(tmp_path_factory.mktemp("odd"))


@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_field_of_no_sense_is_refused_or_does_no_harm(judge, name):
    target = targets(judge.folder)[name]()
    warm_up(target)
    refused = 0
    for seed in target.seeds:
        for variant in variants(json.loads(seed)):
            data = json.dumps(variant).encode()
            refused += not judge.try_out(target.read, data, target.spare_mib, target.growth)
    assert refused
