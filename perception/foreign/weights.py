"""The weights among all that a training run saves: of a dictionary, or of a module taken apart by its attributes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from perception.errors import InputError
from perception.foreign.records import StandIn, shown
from perception.foreign.tensors import TensorView

# Where training code keeps weights, best first: averaged over training, the network itself, its weights alone.
_ENTRIES = ("ema", "model", "state_dict")
# Far beyond any network: modules that hold each other would go on for ever.
_MOST_PARTS = 100_000
_LONGEST_PATH = 1000
_QUOTED = 3


class Weights(NamedTuple):
    """Weights by their dotted names.

    Attributes:
        entry: where in the file they were; empty where they are all of it.
        views: what each is.
    """

    entry: str
    views: dict[str, TensorView]

    def check(self, expected: Mapping[str, tuple[int, ...]]) -> None:
        """Raise :class:`InputError` unless names and shapes are as ``expected``; it counts and quotes what differs."""
        views = self.views
        differences = {
            "missing": [name for name in expected if name not in views],
            "unknown": [shown(name) for name in views if name not in expected],
            "of another shape": [
                f"{name} {shown(views[name].size)} instead of {shape}"
                for name, shape in expected.items()
                if name in views and views[name].size != shape
            ],
        }
        told = [
            f"{len(names)} {difference} ({', '.join(names[:_QUOTED])}{', ...' if len(names) > _QUOTED else ''})"
            for difference, names in differences.items()
            if names
        ]
        if told:
            raise InputError(f"not the weights of the network as published: {'; '.join(told)}")


def find_weights(content: Any) -> Weights:
    """The weights in what a torch file holds.

    Raises:
        InputError: there are none, or the modules hold each other in circles.
    """
    if isinstance(content, dict):
        for entry in _ENTRIES:
            if views := _views(content.get(entry)):
                return Weights(entry, views)
    if views := _views(content):
        return Weights("", views)
    raise InputError(f"holds no weights: neither a state dictionary nor an entry {', '.join(_ENTRIES)} with one")


def _views(content: Any) -> dict[str, TensorView]:
    if isinstance(content, dict):
        return {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, TensorView)}
    return _state_dict(content) if isinstance(content, StandIn) else {}


def _state_dict(root: StandIn) -> dict[str, TensorView]:
    """What ``root.state_dict()`` would give: parameters, then persistent buffers, then those of the submodules."""
    views: dict[str, TensorView] = {}
    waiting = [("", root)]
    parts = 0
    while waiting:
        prefix, module = waiting.pop()
        own = {**_named(module, "_parameters"), **_named(module, "_buffers")}
        children = _named(module, "_modules")
        parts += 1 + len(own) + len(children)
        if parts > _MOST_PARTS or any(len(prefix) + len(name) > _LONGEST_PATH for name in (*own, *children)):
            raise InputError("refused: its modules are nested without end")
        passing = _attribute(module, "_non_persistent_buffers_set")
        for name, value in own.items():
            if isinstance(value, TensorView) and not (isinstance(passing, set) and name in passing):
                views[f"{prefix}{name}"] = value
        below = [(f"{prefix}{name}.", child) for name, child in children.items() if isinstance(child, StandIn)]
        waiting += reversed(below)
    return views


def _named(module: StandIn, attribute: str) -> dict[str, Any]:
    """An attribute that holds something by name."""
    held = _attribute(module, attribute)
    return {name: part for name, part in held.items() if isinstance(name, str)} if isinstance(held, dict) else {}


def _attribute(module: StandIn, attribute: str) -> Any:
    return module.state.get(attribute) if isinstance(module.state, dict) else None
