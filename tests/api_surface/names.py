"""Which names of TensorRT this project's code uses, read from the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Every file that calls TensorRT.
FILES = (
    "export/build_progress.py",
    "export/engine.py",
    "perception/tensorrt_library.py",
    "runtime/backends/engine_layers.py",
    "runtime/backends/tensorrt.py",
)
MODULE = "trt"
# What the variables and attributes that hold TensorRT's objects are called, throughout those files.
CLASSES = {
    "builder": "Builder",
    "cache": "ITimingCache",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "error": "ParserError",
    "inspector": "EngineInspector",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "runtime": "Runtime",
    "tensor": "ITensor",
}
# Only TensorRT-RTX has these; the code reaches them for its engines only.
RTX_ONLY = frozenset(
    {"ComputeCapability", "IBuilderConfig.num_compute_capabilities", "IBuilderConfig.set_compute_capability"}
)
# Methods of TensorRT's classes that ours override.
OVERRIDDEN = {"Clock": "IProfiler", "Logger": "ILogger", "Monitor": "IProgressMonitor"}


def used_names() -> set[str]:
    """Dotted names within the module, such as ``Builder.create_network``."""
    return {name for file in FILES for name in names_in((ROOT / file).read_text(encoding="utf-8"))}


def names_in(source: str) -> Iterator[str]:
    """The names that ``source`` uses."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            *owner, name = _chain(node)
            yield from _name(owner, name)
        elif isinstance(node, ast.ClassDef) and node.name in OVERRIDDEN:
            methods = (child.name for child in node.body if isinstance(child, ast.FunctionDef))
            yield from (f"{OVERRIDDEN[node.name]}.{name}" for name in methods if not name.startswith("_"))


def _chain(node: ast.expr) -> list[str]:
    """``self._engine.name`` as its parts, without ``self`` and leading underscores; the innermost may be anything."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    chain = parts[::-1]
    if chain[0] == "self" and len(chain) > 1:
        chain[:2] = [chain[1].removeprefix("_")]
    return chain


def _name(owner: list[str], name: str) -> Iterator[str]:
    if name.startswith("__") or any(part.startswith("__") for part in owner):
        return
    if owner and owner[0] == MODULE:
        yield ".".join([*owner[1:], name])
    elif len(owner) == 1 and owner[0] in CLASSES:
        yield f"{CLASSES[owner[0]]}.{name}"
