from xml.etree import ElementTree

import pytest

from panoedge.charts import Panel, heat_map, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg, tag):
    return list(ElementTree.fromstring(svg).iter(SVG + tag))


def test_a_line_keeps_its_colour_in_every_panel():
    lines = {"safe": [(50, 80), (100, 90)], "taylor": [(50, 70), (100, 90)]}
    svg = line_chart([Panel("mAP50", "MACs", lines), Panel("lane", "MACs", {"taylor": [(50, 3), (100, 4)]})])
    colours = [line.get("stroke") for line in drawn(svg, "polyline")]
    assert len(colours) == 3 and colours[0] != colours[1] == colours[2]
    legend = [line.get("stroke") for line in drawn(svg, "line")[:2]]
    assert legend == colours[:2]


def test_places_follow_values_and_points_are_sorted():
    (line,) = drawn(line_chart([Panel("a", "b", {"m": [(100, 90), (50, 80), (75, 85)]})]), "polyline")
    places = [tuple(map(float, place.split(","))) for place in line.get("points").split()]
    (x, y), (middle_x, middle_y), (right, top) = places
    assert x < middle_x < right and top < middle_y < y
    assert middle_x == pytest.approx((x + right) / 2, abs=0.2) and middle_y == pytest.approx((y + top) / 2, abs=0.2)


def test_what_is_too_low_does_not_stretch_the_axis():
    lines = {"good": [(80, 88), (100, 90)], "lost": [(80, 1), (100, 90)]}
    labels = [text.text for text in drawn(line_chart([Panel("a", "b", lines, lowest=60)]), "text")]
    numbers = [float(label) for label in labels if label.replace(".", "").isdigit()]
    assert min(numbers) >= 75


def test_fields_are_redder_the_more_is_lost():
    svg = heat_map(["model.0", "model.1"], [("lane", "IoU")], [[-3.0], [30.0]], scale=20)
    shades = [rect.get("fill") for rect in drawn(svg, "rect")[1:]]
    assert shades == ["#ffffff", "#bb3443"]
    assert {"model.0", "lane", "IoU", "-3.0", "30.0"} <= {text.text for text in drawn(svg, "text")}


def test_names_are_escaped():
    assert "<b>" not in line_chart([Panel("<b>", "&", {"<b>": [(1, 2), (3, 4)]})])
    assert "<b>" not in heat_map(["<b>"], [("<b>",)], [[1.0]], 2)
