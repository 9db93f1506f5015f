import pytest

from perception.errors import InputError
from runtime.backends import open_backend


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("student.safetensors", "not an exported network"),
        ("student.engine", r"student\.engine\.json is not beside it"),
        ("student", "not an exported network"),
    ],
)
def test_other_files_are_refused(tmp_path, name, fault):
    file = tmp_path / name
    file.write_bytes(b"something")
    with pytest.raises(InputError, match=fault) as refused:
        open_backend(file)
    assert str(file) in str(refused.value)


def test_absent_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_backend(tmp_path / "student.onnx")
