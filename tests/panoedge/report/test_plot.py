import re
from xml.etree import ElementTree

import pytest

from panoedge.report.blocks import Plot, Point
from panoedge.report.plot import bubbles, colour, stacked_bar, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10.1, [0, 2, 4, 6, 8, 10, 12]),
        (0, 0.3, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        (81.9, 86.1, [81, 82, 83, 84, 85, 86, 87]),
        (0, 7000, [0, 2000, 4000, 6000, 8000]),
    ],
)
def test_ticks_are_round_and_enclose(low, high, expected):
    found = ticks(low, high)
    assert found == expected
    assert found[0] <= low < high <= found[-1]


def circles(svg: str) -> list[dict[str, float]]:
    found = ElementTree.fromstring(svg).iter("circle")
    return [{key: float(circle.get(key)) for key in ("cx", "cy", "r")} for circle in found]


def test_place_and_area_of_bubbles():
    points = [Point(1, "teacher", 9.0, 84.0, 8e6), Point(2, "student", 4.5, 82.0, 2e6)]
    large, small = circles(bubbles(Plot("mAP50 %", "GMACs", points)))
    assert large["r"] == pytest.approx(2 * small["r"], rel=0.02)
    assert small["cx"] < large["cx"]
    assert small["cy"] > large["cy"]
    assert (large["cx"] - 36) == pytest.approx(2 * (small["cx"] - 36), rel=0.01)


def test_unknown_size_is_the_smallest_bubble():
    points = [Point(1, "a", 1.0, 50.0, None), Point(2, "b", 2.0, 51.0, None)]
    assert {circle["r"] for circle in circles(bubbles(Plot("x", "y", points)))} == {3.0}


def test_accuracy_axis_never_leaves_per_cent_nor_zooms_into_noise():
    points = [Point(1, "a", 1.0, 100.0, 1), Point(2, "b", 2.0, 99.9, 1)]
    labels = re.findall(r'text-anchor="end">([^<]+)', bubbles(Plot("x", "y", points)))
    assert float(labels[-1]) == 100
    assert float(labels[-1]) - float(labels[0]) >= 2


def test_numbers_of_bubbles_that_coincide_do_not():
    points = [Point(number, "same", 5.0, 80.0, 1e6) for number in range(1, 9)]
    svg = ElementTree.fromstring(bubbles(Plot("x", "y", points)))
    places = [(float(mark.get("x")), float(mark.get("y"))) for mark in svg.iter("text") if mark.get("class")]
    assert len(places) == 8
    for index, (x, y) in enumerate(places):
        assert all(abs(x - other[0]) > 10 or abs(y - other[1]) > 12 for other in places[:index])


def test_names_are_escaped():
    points = [Point(1, "<script>", 1.0, 50.0, 1), Point(2, '"&', 2.0, 51.0, 1)]
    svg = bubbles(Plot("<b>", '"', points))
    assert "<script" not in svg
    assert "<b>" not in svg
    ElementTree.fromstring(svg)


def test_stacked_bar_skips_what_took_no_time():
    svg = ElementTree.fromstring(stacked_bar([0, 0.25, 0, 0.5]))
    parts = [(part.get("class"), float(part.get("x")), float(part.get("width"))) for part in svg]
    assert parts == [("s2", 0, 50), ("s4", 50, 100)]


def test_colours_begin_again():
    assert [colour(mark) for mark in (1, 8, 9)] == [1, 8, 1]
