"""Torch files as their authors write them, of classes that cannot be imported afterwards, and files made by hand."""

import io
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

AUTHORS = "authors_package_that_is_not_installed"


class Block(nn.Module):
    """Parameters, buffers of both kinds, nothing where there could be something, and a function as a setting."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.register_buffer("anchors", torch.arange(4.0).view(2, 2))
        self.register_buffer("scratch", torch.zeros(5), persistent=False)
        self.register_parameter("bias", None)
        self.act = nn.functional.relu
        self.args = Settings(imgsz=640, device=torch.device("cpu"), folder=Path("runs"))


class Network(nn.Module):
    """Two blocks in a list, and a layer that two names share."""

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleList([Block(), Block()])
        self.again = self.model[0].conv


class Settings(types.SimpleNamespace):
    """Settings as an object."""


@pytest.fixture
def authors() -> Iterator[types.ModuleType]:
    """The authors' package, importable until :func:`save` has used it."""
    module = types.ModuleType(AUTHORS)
    before = {}
    for cls in (Block, Network, Settings):
        before[cls] = cls.__module__
        cls.__module__ = AUTHORS
        setattr(module, cls.__name__, cls)
    sys.modules[AUTHORS] = module
    yield module
    sys.modules.pop(AUTHORS, None)
    for cls, name in before.items():
        cls.__module__ = name


@pytest.fixture
def network(authors) -> nn.Module:
    """A network of the authors' classes, half precision."""
    torch.manual_seed(0)
    return authors.Network().half()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write anything with ``torch.save``; afterwards the authors' package is gone."""

    def write(content: Any, **options: Any) -> Path:
        path = tmp_path / "authors.pt"
        torch.save(content, path, **options)
        sys.modules.pop(AUTHORS, None)
        return path

    return write


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Write an archive like ``torch.save``'s around a pickle and other members, given by their names."""

    def write(pickle: bytes, members: dict[str, bytes] | None = None, root: str = "archive") -> Path:
        path = tmp_path / "made.pt"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for name, data in {"data.pkl": pickle, "version": b"3\n", **(members or {})}.items():
                file.writestr(f"{root}/{name}", data)
        path.write_bytes(buffer.getvalue())
        return path

    return write
