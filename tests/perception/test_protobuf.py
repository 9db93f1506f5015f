import pytest

from perception.protobuf import fields


def read(content):
    return [(number, bytes(value)) for number, value in fields(memoryview(content))]


def test_fields_with_a_length_are_given_and_numbers_skipped():
    text, number, wide, narrow = b"\x0a\x03one", b"\x10\xac\x02", b"\x19" + bytes(8), b"\x25" + bytes(4)
    assert read(number + text + wide + narrow + b"\x2a\x00") == [(1, b"one"), (5, b"")]


def test_lengths_and_numbers_of_fields_may_take_several_bytes():
    assert read(b"\xfa\x01\x80\x01" + bytes(128)) == [(31, bytes(128))]


@pytest.mark.parametrize("content", [b"\x0a", b"\x0a\x05one", b"\x80", b"\x0b", b"\x80" * 100 + b"\x01"])
def test_what_is_no_message_is_an_error(content):
    with pytest.raises((IndexError, KeyError, ValueError)):
        read(content)
