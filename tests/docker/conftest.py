"""The images and what checks them, which is no package but a folder of scripts."""

import sys
from pathlib import Path

import pytest

DOCKER = Path(__file__).parents[2] / "docker"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Let tests import from docker/check, as its own modules do."""
    monkeypatch.syspath_prepend(str(DOCKER / "check"))
    yield
    for name in [path.stem for path in (DOCKER / "check").glob("*.py")]:
        sys.modules.pop(name, None)
