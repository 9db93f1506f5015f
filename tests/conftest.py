"""Where the shared reference files and photographs lie, for the tests that need them."""

import os
from pathlib import Path

import pytest

# Side by side, tests have a core each; what they start inherits that.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


def _present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs {path.name} of the shared reference folder, absent here")
    return path


@pytest.fixture(scope="session")
def reference() -> Path:
    """Golden outputs of the published networks and metric fixtures."""
    return _present(SHARED / "reference")


@pytest.fixture(scope="session")
def camvid() -> Path:
    """Real photographs with labels, YOLOP layout, 640x480."""
    return _present(SHARED / "data" / "camvid-drive")


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Six real photographs without labels, 1280x720."""
    return _present(SHARED / "data" / "bdd100k-samples")


@pytest.fixture(scope="session")
def drive_video() -> Path:
    """A short real driving clip."""
    return _present(SHARED / "data" / "drive.mp4")
