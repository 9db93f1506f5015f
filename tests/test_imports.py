"""Imports run one way: panoedge -> compress, export, runtime -> perception; the board needs NumPy and OpenCV only."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "perception": set(),
    "compress": {"perception"},
    "export": {"perception"},
    "runtime": {"perception"},
    "panoedge": {"perception", "compress", "export", "runtime"},
}
ON_THE_BOARD = {"numpy", "cv2"}
# The libraries that run a network: a board has one of them, so that they are imported inside functions only.
LAZY_ON_THE_BOARD = {"onnxruntime", "tensorrt", "pycuda"}


def modules(room: str) -> dict[str, Path]:
    """Every module of a room by its dotted name."""
    found = {}
    for file in sorted((ROOT / room).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = {name: file for room in MAY_IMPORT for name, file in modules(room).items()}


def imports(name: str, source: str, is_package: bool) -> Iterator[tuple[str, bool]]:
    """Dotted names that a module imports, and whether only a function that is called does so."""
    package = name if is_package else name.rpartition(".")[0]

    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield base, lazy
            # A name may be a module too.
            yield from ((f"{base}.{alias.name}", lazy) for alias in node.names if f"{base}.{alias.name}" in MODULES)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, lazy)

    return walk(ast.parse(source), False)


def imports_of(name: str) -> list[tuple[str, bool]]:
    file = MODULES[name]
    return list(imports(name, file.read_text(encoding="utf-8"), file.name == "__init__.py"))


def top(name: str) -> str:
    return name.partition(".")[0]


def closure(start: set[str]) -> set[str]:
    """Every module of this project that importing ``start`` can load, now or later."""
    seen: set[str] = set()
    waiting = set(start)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for target, _ in imports_of(name):
            # Importing a.b.c runs a and a.b first.
            parts = target.split(".")
            parents = {".".join(parts[: length + 1]) for length in range(len(parts))}
            waiting |= (parents & set(MODULES)) - seen
    return seen


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_one_way(room):
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[room] - {room}
    wrong = [
        f"{name} imports {target}"
        for name in modules(room)
        for target, _ in imports_of(name)
        if top(target) in forbidden
    ]
    assert wrong == []


def test_the_board_needs_numpy_and_opencv_only():
    wrong = []
    for name in sorted(closure(set(modules("runtime")))):
        for target, lazy in imports_of(name):
            library = top(target)
            known = library in sys.stdlib_module_names | set(MAY_IMPORT) | ON_THE_BOARD
            if not known and not (lazy and library in LAZY_ON_THE_BOARD and top(name) == "runtime"):
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_the_analysis_sees_every_kind_of_import():
    source = """
import torch.nn
from perception import tasks
from . import bench
def f():
    from onnxruntime.capi import thing
class C:
    import cv2
    def g(self):
        import numpy
"""
    assert list(imports("runtime.commands", source, False)) == [
        ("torch.nn", False),
        ("perception", False),
        ("perception.tasks", False),
        ("runtime", False),
        ("runtime.bench", False),
        ("onnxruntime.capi", True),
        ("cv2", False),
        ("numpy", True),
    ]
    assert {"perception", "perception.tasks", "runtime.bench", "runtime.backends.onnxruntime"} <= closure(
        {"runtime.commands"}
    )
