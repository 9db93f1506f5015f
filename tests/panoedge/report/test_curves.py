from xml.etree import ElementTree

import pytest

from panoedge.report.blocks import Chart, Line, Phase
from panoedge.report.curves import curves


def draw(*lines: Line, **more) -> ElementTree.Element:
    return ElementTree.fromstring(curves(Chart("Power, W", "seconds", lines, **more)))


def paths(svg: ElementTree.Element, kind: str) -> list[str]:
    return [path.get("d") for path in svg.iter("path") if kind in path.get("class").split()]


def test_higher_and_later_is_up_and_right():
    (path,) = paths(draw(Line(1, "a", [0, 10], [0, 5])), "curve")
    (x0, y0), (x1, y1) = (map(float, corner.split(",")) for corner in path.removeprefix("M").split())
    assert (x0, y0) == (36, 180)
    assert x1 > x0
    assert y1 < y0


def test_a_gap_is_a_gap():
    assert len(paths(draw(Line(1, "a", [0, 1, 2, 3, 4], [1, 1, None, 2, 2])), "curve")) == 2
    assert paths(draw(Line(1, "a", [0, 1], [None, None])), "curve") == []


def test_looks():
    svg = draw(Line(1, "a", [0, 1], [1, 2], "area"), Line(2, "b", [0, 1], [1, 2], "faint"))
    (area,) = paths(svg, "area")
    assert area.endswith("180Z")
    assert len(paths(svg, "curve")) == 2
    assert len(paths(svg, "faint")) == 1


@pytest.mark.parametrize("values", [[0.0], [7.0], [-5.0, -7.0], [5e-324, 1e-9], [1e18, 0]])
def test_any_values_can_be_drawn(values):
    for place in (3.0, 1e18):
        assert paths(draw(Line(1, "a", [place] * len(values), values)), "curve")


def test_phases_are_named_where_there_is_room():
    svg = draw(Line(1, "a", [0, 100], [1, 1]), phases=[Phase("network", 0, 50), Phase("paced", 50, 51)])
    assert len(list(svg.iter("rect"))) == 2
    assert "network" in [text.text for text in svg.iter("text")]
    assert "paced" not in [text.text for text in svg.iter("text")]


def test_an_event_is_marked_even_where_the_lines_ended_before():
    svg = draw(Line(1, "a", [0, 10], [1, 1]), event=(99.0, "throttled"))
    (mark,) = paths(svg, "event")
    assert float(mark.removeprefix("M").partition(",")[0]) == pytest.approx(36 + 0.99 * (344 - 36), abs=0.1)
    assert "100" in [text.text for text in svg.iter("text")], "the axis reaches as far"
    assert "throttled" in [text.text for text in svg.iter("text")]


def test_names_are_escaped():
    svg = draw(Line(1, "<script>", [0, 1], [1, 1]), phases=[Phase("<b>", 0, 1)], event=(0.5, "<i>"))
    assert not list(svg.iter("script"))
