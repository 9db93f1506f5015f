"""The rooms and layers of a network, which an exported graph has in its names: ``lane/node_sub_6`` is of the lane head,
``lane/network.model.42.conv`` is its layer ``model.42.conv``, and so is ``lane/network.model.42.conv/n0_75``, which is
computed from that layer element by element.

Libraries join layers, add layers of their own and rename both; names are what they pass on. So every name says where it
belongs, and no list beside the graph has to be kept.
"""

import re
from collections.abc import Iterable

from perception.tasks import TASKS

# What all tasks need: up to the first weight that lies outside of the network's backbone, and from there on.
BACKBONE, ENCODER = "backbone", "encoder"
# The same where a network does not say what its backbone is.
SHARED = "shared"

# What the weights of a layer are called in an exported file begins so, and so does what the layer is called.
LAYER = "network."

_TASKS = "|".join(TASKS)
# Where a name may begin: TensorRT writes "a/x + b/y" and "{ForeignNode[a/x...b/y]}".
_ROOM = re.compile(rf"(?<![\w/+-])({BACKBONE}|{ENCODER}|{SHARED}|(?:{_TASKS})(?:\+(?:{_TASKS}))*)/")
_LAYER = re.compile(rf"{_ROOM.pattern}{re.escape(LAYER)}(?P<path>\w+(?:\.\w+)*)")
# TensorRT's for all that lies between two nodes, so that these two say nothing of it.
_RANGE = "..."


def room_of_tasks(tasks: Iterable[str]) -> str:
    """Of what these tasks need and others do not: ``lane``, or ``drivable+lane``."""
    wanted = set(tasks)
    return "+".join(task for task in TASKS if task in wanted)


def name_in(room: str, name: str) -> str:
    """The name in an exported graph of what is called ``name`` and belongs to ``room``."""
    return f"{room}/{name}"


def rank(room: str) -> tuple[int, str]:
    """Sorts rooms as data runs through them: trunk, single tasks, what several share, and whatever else there is."""
    order = (BACKBONE, ENCODER, SHARED, *TASKS)
    return order.index(room) if room in order else len(order), room


def rooms_in(text: str) -> list[str]:
    """The rooms of all names in ``text``, each once, in order."""
    return list(dict.fromkeys(_ROOM.findall(text)))


def layers_in(text: str) -> list[str]:
    """The paths of the modules of all layers in ``text``, each once, in order; none where more may be meant."""
    return [] if _RANGE in text else list(dict.fromkeys(found["path"] for found in _LAYER.finditer(text)))
