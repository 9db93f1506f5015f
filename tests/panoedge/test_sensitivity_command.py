from xml.etree import ElementTree

import pytest

from panoedge.sensitivity_command import markdown, picture, points_lost

SVG = "{http://www.w3.org/2000/svg}"


def look(loss, score):
    return {"loss": {"lane": loss}, "score": {"recall": 0.8, "lane_IoU": score}}


@pytest.fixture
def found():
    """Two rooms of which one is all that lanes live on."""
    thinned = {
        "model.4": {"0.25": {"kept": 0.99, **look(0.1, 0.49)}, "0.5": {"kept": 0.97, **look(0.11, 0.48)}},
        "model.34": {"0.25": {"kept": 0.999, **look(0.2, 0.3)}, "0.5": {"kept": 0.998, **look(0.4, 0.0)}},
    }
    rooms = {name: {"conflict": {"detection-lane": 0.125}, "thinned": part} for name, part in thinned.items()}
    return {"whole": look(0.1, 0.5), "rooms": rooms, "settings": {}}


def test_points_lost(found):
    lost = points_lost(found["whole"], found["rooms"]["model.34"]["thinned"]["0.5"])
    assert lost == pytest.approx({"recall": 0, "lane_IoU": 50})


def test_a_row_a_room_and_ratio(found):
    head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown(found).splitlines()]
    assert head == [
        "room",
        "taken",
        "parameters left %",
        "recall lost",
        "lane_IoU lost",
        "lane loss ×",
        "conflict detection-lane",
    ]
    assert lines[3] == ["model.34", "50 %", "99.8", "0.0", "50.0", "4.00", "0.125"] and len(lines) == 4


def test_a_field_a_room_score_and_ratio(found):
    drawing = ElementTree.fromstring(picture(found))
    texts = [text.text for text in drawing.iter(SVG + "text")]
    assert {"model.4", "model.34", "recall", "lane", "IoU", "25 %", "50 %"} <= set(texts)
    assert len(list(drawing.iter(SVG + "rect"))) == 1 + 2 * 4
    assert texts[-4:] == ["0.0", "0.0", "20.0", "50.0"]
