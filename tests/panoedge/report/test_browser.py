"""The page in a real browser: does it load without complaint, and are its figures where a reader can see them?"""

import base64
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from panoedge.report import write_report
from panoedge.report.schema import RATES
from panoedge.report.text import percent, three_digits

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium to lay out the page")

RED, BLUE = (200, 30, 30), (30, 30, 200)  # of the pictures
DESK, TABLET, PHONE = 1280, 820, 375
# Every figure of the page: what it is and where it lies.
FIGURES = """
[...document.querySelectorAll("svg, img, table, .facts > div, .lines, .legend")].map(element => {
  const box = element.getBoundingClientRect();
  return {kind: element.getAttribute("class") || element.localName, left: box.left, right: box.right,
          width: box.width, height: box.height, scrolls: element.closest(".scroll") !== null};
})"""
# How far the page is wider than its window.
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Browser:
    """Headless Chromium, spoken to over its remote debugging pipe."""

    def __init__(self, profile: Path):
        options = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars --remote-debugging-pipe"
        quiet = "--disable-background-networking --disable-component-update --disable-sync"
        command = [BROWSER, *options.split(), *quiet.split(), f"--user-data-dir={profile}", "about:blank"]
        ends = [*os.pipe(), *os.pipe()]
        # The browser wants its ends at file descriptors 3 and 4: out of the way with those that may lie there by now.
        theirs_in, self._out, self._in, theirs_out = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
        places = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        silence = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        self._process = os.posix_spawn(BROWSER, command, os.environ, file_actions=[*places, silence])
        for end in (*ends, theirs_in, theirs_out):
            os.close(end)
        self._number, self._rest, self._session = 0, b"", ""
        self.complaints: list[dict[str, Any]] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._session = ""
        self.call("Browser.close")
        os.waitpid(self._process, 0)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, page: Path, width: int, dark: bool = False) -> None:
        """Load the page anew in a window so wide, and forget what the last one complained about."""
        self.complaints.clear()
        self.requests.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.call("Page.navigate", url=page.as_uri())
        while not self._loaded:
            self._note(self._receive())

    def evaluate(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def screenshot(self, of: str) -> np.ndarray:
        """What the window shows around an element, as RGB ``[height, width, 3]``."""
        self.evaluate(f'document.querySelector("{of}").scrollIntoView()')
        data = self.call("Page.captureScreenshot")["data"]
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser went away"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        method = event.get("method")
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(event["params"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def html(boards, overlays, tmp_path) -> Path:
    write_report(boards, tmp_path, overlays)
    return tmp_path / "report.html"


def where(shot: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the largest patch of ``colour``."""
    alike = (np.abs(shot.astype(int) - colour).max(2) <= 4).astype(np.uint8)
    _, _, patches, _ = cv2.connectedComponentsWithStats(alike)
    left, top, width, height, _ = max(patches[1:], key=lambda patch: patch[4]).tolist()
    return left, top, width, height


@pytest.mark.parametrize("width", [DESK, TABLET, PHONE])
def test_every_figure_is_there_and_has_a_size(browser, html, width):
    browser.open(html, width)
    figures = browser.evaluate(FIGURES)
    kinds = [figure["kind"] for figure in figures]
    # Four histograms, three timelines, four quantities of each of two boards, six plots of accuracy.
    assert kinds.count("plot") == 4 + 3 + 2 * 4 + 6
    assert kinds.count("lines") == 2 * 4
    assert kinds.count("bar") == 2 * 4
    assert kinds.count("img") == 2
    for figure in figures:
        assert figure["width"] > 20 and figure["height"] > 8, figure
        assert figure["scrolls"] or (figure["left"] >= 0 and figure["right"] <= width), figure
        if figure["kind"] == "plot":
            assert figure["width"] >= 240 and figure["height"] >= 140
    assert browser.evaluate(WIDER) == 0, "something leaves the page at the right"


def test_every_rate_and_accuracy_can_be_read(browser, html, boards):
    browser.open(html, DESK)
    shown = browser.evaluate("document.body.innerText").split()
    for model in boards["models"]:
        figures = [three_digits(model["speed"][rate]["fps"]) for rate in RATES]
        figures += [percent(model["metrics"][task][key]) for task, key in (("detection", "mAP50"), ("lane", "IoU"))]
        assert [figure for figure in figures if figure not in shown] == [], model["name"]


def test_no_complaints_and_no_requests(browser, html):
    browser.open(html, DESK)
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [html.as_uri()]


def test_complaints_are_heard(browser, tmp_path):
    page = tmp_path / "broken.html"
    page.write_text('<script>throw Error("no")</script><img src="nowhere.png">')
    browser.open(page, DESK)
    assert len(browser.complaints) == 2


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_scheme(browser, html, dark):
    browser.open(html, DESK, dark)
    page, ink, curve = (
        browser.evaluate(f"getComputedStyle(document.querySelector('{element}')).{what}")
        for element, what in (("body", "backgroundColor"), ("body", "color"), (".curve.m1", "stroke"))
    )
    assert (page, ink, curve) == (
        ("rgb(21, 24, 28)", "rgb(230, 233, 237)", "rgb(110, 168, 239)")
        if dark
        else ("rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(47, 109, 181)")
    )


def test_pictures_stand_side_by_side_where_there_is_room(browser, html):
    browser.open(html, DESK)
    shot = browser.screenshot(".panels")
    (left, top, width, height), other = where(shot, RED), where(shot, BLUE)
    assert width / height == pytest.approx(640 / 360, rel=0.01)
    assert other[0] > left + width
    assert other[1:] == (top, width, height)
    browser.open(html, PHONE)
    shot = browser.screenshot(".panels")
    (left, top, _, height), other = where(shot, RED), where(shot, BLUE)
    assert other[0] == left
    assert other[1] > top + height
