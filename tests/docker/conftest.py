"""The check of the images is no package but a folder of scripts, which import each other by their plain names."""

from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "docker" / "check"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Let tests import them likewise."""
    monkeypatch.syspath_prepend(str(CHECK))
