from runtime.device.files import found, read_number, read_text


def test_text_loses_blanks_and_the_zero_of_device_trees(tmp_path):
    (tmp_path / "model").write_bytes(b"Board\0")
    assert read_text(tmp_path / "model") == "Board"


def test_what_cannot_be_read_is_empty(tmp_path):
    assert read_text(tmp_path / "absent") == ""
    assert read_text(tmp_path) == ""
    assert read_number(tmp_path / "absent") is None


def test_a_number_or_none(tmp_path):
    file = tmp_path / "number"
    file.write_text(" -12\n")
    assert read_number(file) == -12
    for content in ("", "12 kB", "n/a"):
        file.write_text(content)
        assert read_number(file) is None


def test_counted_as_people_do(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"zone{number}").touch()
    assert [path.name for path in found(tmp_path, "zone*")] == ["zone1", "zone2", "zone10"]
