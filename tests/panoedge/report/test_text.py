import pytest

from panoedge.report import text


@pytest.mark.parametrize(
    ("difference", "shown"),
    [(0.0041, "+0.4"), (-0.012, "−1.2"), (0.0, "±0.0"), (-0.0004, "±0.0"), (-0.00051, "−0.1")],
)
def test_points_are_signed(difference, shown):
    assert text.points(difference) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.04123, "0.041"), (4.123, "4.12"), (41.23, "41.2"), (412.3, "412"), (9.999, "10.00")]
)
def test_three_digits(value, shown):
    assert text.three_digits(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(0, "", "0"), (999, "B", "999 B"), (2_104_332, "", "2.10 M"), (1_400_000, "B", "1.40 MB"), (3.4e12, "", "3.40 T")],
)
def test_quantity(value, unit, shown):
    assert text.quantity(value, unit).replace(text.NARROW, " ") == shown


def test_change_and_times():
    assert text.change(0.673).replace(text.NARROW, " ") == "−32.7 %"
    assert text.times(1.834) == "1.83×"
    assert text.change(None) == ""


def test_unknown_is_an_en_dash():
    assert text.percent(None) == text.times(None) == text.three_digits(None) == text.quantity(None) == "–"


def test_base_name():
    assert text.base_name("/data/bdd100k/") == "bdd100k"
    assert text.base_name("/") == "/"


def test_listing():
    assert [text.listing(list("abc"[:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
