"""Lane markings and their label."""

from dataclasses import replace

import numpy as np
import pytest

from perception.synthetic.camera import Camera
from perception.synthetic.canvas import ASPHALT, Canvas
from perception.synthetic.dice import Dice
from perception.synthetic.markings import WHITE, Line, Painter, roll_lines
from perception.synthetic.road import Junction, Road, depth_by_row, roll_road

CAMERA = Camera((384, 640), 500.0, 1.5, 0.0, 0.0, 0.0)
ROAD = Road(0.0, 0.0, 0.0, 0.0, 170.0, (-1.75, 1.75), (), (-2.25, 2.25), (-1.75, 1.75), 0.0, None, False, True)
SOLID = Line(1.75, 0.15, WHITE, 255, None)


def painted(line: Line, road: Road = ROAD) -> Canvas:
    canvas = Canvas(CAMERA)
    canvas.image[:] = 80
    canvas.tags[:] = ASPHALT << 1
    painter = Painter(canvas, road, Dice(0))
    painter.line(line)
    painter.finish(depth_by_row(road, CAMERA))
    return canvas


def column_at(depth: float) -> tuple[int, int]:
    x, y = CAMERA.project(np.array([1.75, 0.0, depth]))
    return round(float(y)), round(float(x))


@pytest.mark.parametrize("depth", [5, 10, 20, 40, 60])
def test_a_solid_line_is_labelled_and_painted_along_its_course(depth):
    canvas = painted(SOLID)
    y, x = column_at(depth)
    assert canvas.lane[y, x] > 127
    assert canvas.image[y, x].min() > 120
    width = (canvas.lane[y] > 127).sum()
    # Drawing adds a rim of a pixel.
    assert width == pytest.approx(max(3, 0.15 * 500 / depth) + 2, abs=1.5)


def test_dashes_leave_gaps():
    canvas = painted(replace(SOLID, dash=(3.0, 6.0)))
    seen = [canvas.lane[column_at(depth)] > 127 for depth in np.arange(4.5, 50, 0.25)]
    assert np.mean(seen) == pytest.approx(0.4, abs=0.1)


def test_worn_lines_fade_but_stay_labelled():
    fresh, worn = painted(SOLID), painted(replace(SOLID, strength=80))
    np.testing.assert_array_equal(fresh.lane, worn.lane)
    line = fresh.lane > 127
    assert 80 < worn.image[line].mean() < fresh.image[line].mean() - 30


def test_lines_stop_at_a_junction():
    canvas = painted(SOLID, replace(ROAD, junction=Junction(15.0, 25.0)))
    inside, before, behind = (canvas.lane[column_at(depth)] for depth in (20, 10, 40))
    assert inside < 128 < before
    assert behind > 127


def test_roads_have_lines_of_all_kinds():
    rolled = [(road := roll_road(Dice(n), CAMERA, True), roll_lines(Dice(n, 1), road)) for n in range(150)]
    lines = [line for _, some in rolled for line in some]
    assert {line.colour for line in lines} == {WHITE, (222, 168, 44)}
    assert any(line.dash for line in lines)
    assert min(line.strength for line in lines) < 100
    assert max(line.strength for line in lines) == 255
    # Where directions meet, and they always meet at a line, it separates drivable from oncoming.
    for road, some in rolled:
        if road.oncoming:
            assert min(abs(line.offset - road.lanes[0]) for line in some) < 0.2
