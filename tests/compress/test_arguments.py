import pytest

from compress.arguments import parse_factor, parse_protection
from perception.errors import InputError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["0.2"], (0.2, {})),
        (["lane=2"], (None, {"lane": 2.0})),
        (["detection=1.5", "0.1", "lane=3"], (0.1, {"detection": 1.5, "lane": 3.0})),
    ],
)
def test_protection_is_a_share_and_factors(texts, expected):
    assert parse_protection(texts) == expected


@pytest.mark.parametrize("text", ["lane", "lane=", "lane=much", "=2"])
def test_protection_that_is_neither_is_an_input_error(text):
    with pytest.raises(InputError, match="or TASK=FACTOR such as lane=2"):
        parse_protection([text])


@pytest.mark.parametrize("text", ["2", "=2", "lane", "lane="])
def test_a_factor_has_a_task_and_a_number(text):
    with pytest.raises(InputError, match=r"task weight .*: expected TASK=FACTOR such as lane=2"):
        parse_factor(text, "task weight")
