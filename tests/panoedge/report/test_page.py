import re
from html.parser import HTMLParser

from panoedge.report import page
from panoedge.report.document import document
from panoedge.report.overlay import encode

VOID = {"meta", "img", "line", "br"}
HOSTILE = '"><script>alert(1)</script><img src=https://example.org/x onerror=alert(2)>&lt;'


class Reader(HTMLParser):
    """Collects elements and text, and insists on closing tags in order."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(data.strip())


def render(report, overlays=()) -> str:
    return page.render(document(report, encode(overlays)))


def count(reader: Reader, tag: str) -> int:
    return sum(name == tag for name, _ in reader.elements)


def test_the_page_is_well_formed_and_complete(report, overlays):
    reader = Reader(render(report, overlays))
    for text in (
        "YOLOP made smaller",
        "student-fp16 against teacher",
        "−11.3",
        "600 in 28.0\u202fs",
        "stream",
        "prune",
    ):
        assert text in reader.texts
    assert count(reader, "h1") == 1
    assert count(reader, "table") == 5
    assert sum(attributes.get("class") == "plot" for _, attributes in reader.elements) == 6
    assert sum(attributes.get("class") == "bar" for _, attributes in reader.elements) == 3
    assert count(reader, "img") == 2


def test_nothing_is_fetched_and_nothing_runs(report, overlays):
    html = render(report, overlays)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<iframe", html)
    assert "default-src 'none'" in html
    for _, attributes in Reader(html).elements:
        assert not any(name.startswith("on") or name == "href" for name in attributes)
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")


def test_hostile_texts_stay_text(report, overlays):
    benign = Reader(render(report, overlays))
    for model in report["models"]:
        model |= {"file": HOSTILE, "network": HOSTILE, "precision": HOSTILE, "sha256": HOSTILE}
        model["metrics"] |= {"data": HOSTILE, "split": HOSTILE}
        for stage in model["history"]:
            stage["stage"] = HOSTILE
            stage[HOSTILE] = HOSTILE
    report["models"][2]["name"] = HOSTILE
    report |= {"title": HOSTILE, "device": {HOSTILE: HOSTILE, "name": HOSTILE}}
    reader = Reader(render(report, overlays))
    assert HOSTILE in reader.texts
    assert count(reader, "script") == 0
    assert count(reader, "img") == count(benign, "img")


def test_hostile_texts_of_a_benchmark_stay_text(boards):
    benign = Reader(render(boards))
    for model in boards["models"]:
        model["profile"]["rooms"] = {HOSTILE: 3.0}
        model["drop"] = {"reference": HOSTILE, "points": {HOSTILE: 1.0}}
        model["gates"] = [
            {"gate": HOSTILE, "of": HOSTILE, "unit": HOSTILE, "limit": 1, "value": None, "passed": False},
        ]
        for timed in model["speed"].values():
            timed["includes"] = HOSTILE
        run, sampler = model["run"], model["run"]["sampler"]
        run |= {"lost": HOSTILE, "phases": [{"name": HOSTILE, "from": 0, "to": 1e9}]}
        for kind in ("power", "temperature", "clock", "load"):
            sampler[kind] = {HOSTILE: next(iter(sampler[kind].values()))}
        sampler |= {"certified": False, "faults": [{"fault": HOSTILE, "cure": HOSTILE}]}
        sampler |= {"total_power": {"of": [HOSTILE], "watts": 1, "joules": 1}, "throttled": {"at": 1, "by": [HOSTILE]}}
    reader = Reader(render(boards))
    assert any(HOSTILE in each for each in reader.texts)
    assert {tag for tag, _ in reader.elements} <= {tag for tag, _ in benign.elements}
    for _, attributes in reader.elements:
        assert not any(name.startswith("on") for name in attributes)


def test_what_was_not_measured_is_a_dash(report):
    for model in report["models"]:
        model |= {"metrics": None, "speed": None, "parameters": None, "macs": None}
    reader = Reader(render(report))
    assert reader.texts.count("–") > 50
    assert "0" not in reader.texts
    assert "0.0" not in reader.texts
    assert "Accuracy against cost" not in reader.texts


def test_a_single_model_makes_a_page(report):
    report["models"] = report["models"][-1:]
    reader = Reader(render(report))
    assert "student-fp16" in reader.texts
    assert "Accuracy against cost" not in reader.texts


def test_a_name_stands_for_all_rows_of_its_model(boards):
    html = page.render(document(boards, []))
    speed = html[html.index("<h2>Speed") : html.index("<h3>How often")]
    assert speed.count('<th scope="row" rowspan="3">') == 4
    assert speed.count('<tr class="follows"><td') == 8
