import pytest

from panoedge.report import markdown
from panoedge.report.document import document
from panoedge.report.overlay import encode


@pytest.fixture
def lines(report, overlays) -> list[str]:
    return markdown.render(document(report, encode(overlays))).splitlines()


def test_sections_that_have_something_to_say(lines):
    assert lines[0] == "# YOLOP made smaller"
    assert lines[2] == "2026-03-01 09:30 UTC"
    assert [line for line in lines if line.startswith("## ")] == [
        "## Accuracy by task",
        "## Size",
        "## Speed",
        "## Where the time of a frame goes",
    ]


def test_what_only_some_ask_for_is_folded(lines):
    folded = [line.removeprefix("<details><summary>") for line in lines if line.startswith("<details>")]
    assert folded == [
        "What they see</summary>",
        "Device and versions</summary>",
        "How the models came about</summary>",
        "How it was measured</summary>",
    ]
    assert lines.count("</details>") == len(folded)
    # Without an empty line before it, Markdown would take what follows for HTML.
    assert all(lines[index + 1] == "" for index, line in enumerate(lines) if "<summary>" in line)


def test_tables_are_whole(lines):
    table = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            table.append(line.count("|"))
            continue
        assert len(set(table)) <= 1
        table = []
    assert "| teacher | 92.3 | 84.8 | 93.3 | 56.6 | 84.6 |" in lines
    assert "| pruned | – | – | – | – | – | – | – | – | – | – |" in lines
    assert "| Model | read ms | pre ms | copy in ms | compute ms | copy out ms | post ms |" in lines


def test_pictures_are_links_to_files(lines):
    assert "![teacher](overlays/01-1.jpg) ![student-fp16](overlays/01-2.jpg)" in lines


def test_hostile_names_stay_text():
    escaped = markdown.escape("<script>|`x`|</script>\n# a_b _c_ [l](u) &lt;")
    assert escaped == r"\<script\>\|\`x\`\|\</script\> \# a_b \_c\_ \[l\](u) \&lt;"
