"""The page in a real browser: are text, pictures and plots laid out where a reader can see them?"""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from panoedge.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium to lay out the page")

RED, BLUE = (200, 30, 30), (30, 30, 200)  # of the pictures
HEAVY = (0xF7, 0xC9, 0xC6)
TEACHER = (230, 237, 246)  # its blue at 12 % on white, which fills its bubbles


def screenshot(page: Path, width: int, height: int) -> np.ndarray:
    """The page as RGB ``[height, width, 3]``."""
    picture = page.parent / f"page-{width}.png"
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--blink-settings=preferredColorScheme=1",
        f"--user-data-dir={page.parent / 'profile'}",
        f"--screenshot={picture}",
        f"--window-size={width},{height}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)


def where(shot: np.ndarray, colour: tuple[int, int, int], least: int = 100) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of every patch of ``colour`` with that many pixels, from top to bottom."""
    alike = (np.abs(shot.astype(int) - colour).max(2) <= 4).astype(np.uint8)
    _, _, patches, _ = cv2.connectedComponentsWithStats(alike)
    return [tuple(map(int, patch[:4])) for patch in patches[1:] if patch[4] >= least]


@pytest.fixture
def html(report, overlays, tmp_path) -> Path:
    write_report(report, tmp_path, overlays)
    return tmp_path / "report.html"


def test_desk(html):
    shot = screenshot(html, 1200, 6000)
    assert (shot[:, -40:] == 255).all(), "something leaves the page at the right"
    assert (shot[-100:] == 255).all(), "the page is longer than the picture taken of it"
    ink = (shot[30:110, 64:700] < 100).all(2).mean()
    assert 0.01 < ink < 0.3, "no title"
    assert sum(width > 60 for _, _, width, _ in where(shot, HEAVY)) >= 1
    assert len(where(shot, TEACHER)) >= 6, "a plot without the teacher's bubble"
    (left, top, width, height), other = *where(shot, RED), *where(shot, BLUE)
    assert width > 500
    assert width / height == pytest.approx(640 / 360, rel=0.01)
    assert other[0] > left + width
    assert other[1:] == (top, width, height)


def test_phone(html):
    shot = screenshot(html, 500, 6500)
    assert (shot[:, -8:] == 255).all(), "something leaves the page at the right"
    (left, top, width, height), other = *where(shot, RED), *where(shot, BLUE)
    assert width > 440
    assert other[0] == left
    assert other[1] > top + height
