import errno
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from perception.errors import InputError
from perception.files import (
    alone,
    atomic,
    check_writable,
    patiently,
    read_json,
    scratch,
    sha256,
    sweep,
    writable_folder,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def closed(tmp_path):
    """A folder that cannot be made, whoever runs the tests: a file is in the way."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "folder"


def test_a_file_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "model.onnx"
    with atomic(target) as temporary:
        assert temporary.suffix == ".onnx"
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == ["model.onnx"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="midway"), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["report.json"]


def test_a_file_is_replaced(tmp_path):
    target = tmp_path / "a.txt"
    for text in ("one", "two, with ümlauts"):
        write_text(target, text)
        assert target.read_text(encoding="utf-8") == text


def test_permissions_are_those_of_any_new_file(tmp_path):
    with atomic(tmp_path / "ours") as temporary:
        temporary.touch(0o600)
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_killed_processes_left_is_swept_and_what_living_ones_hold_is_not(tmp_path):
    for left in (".a.b.json.0.part", "inner/.c.txt.1.part"):
        (tmp_path / left).mkdir(parents=True)
        (tmp_path / left / "half").touch()
    (tmp_path / "a.b.json").write_text("whole")
    with scratch(tmp_path / "held") as held:
        sweep(tmp_path.rglob(".*.part"))
        assert held.is_dir()
    assert names(tmp_path) == ["a.b.json", "inner"] and not names(tmp_path / "inner")
    assert (tmp_path / "a.b.json").read_text() == "whole"


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        write_text(tmp_path, "text")
    assert names(tmp_path) == []


def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/null")
    for path in (pipe, link, Path("/dev/null")):
        for write in (partial(write_text, text="text"), check_writable):
            with pytest.raises(InputError, match="is a pipe or a device"):
                write(path)
    assert pipe.is_fifo() and link.is_symlink() and Path("/dev/null").is_char_device()


def test_what_is_linked_to_is_replaced(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs" / "file")
    for text in ("one", "two"):
        write_text(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "runs" / "file").read_text() == text
    assert names(tmp_path / "runs") == ["file"]


def test_a_place_that_cannot_be_written(closed):
    for write in (lambda: write_text(closed / "a", ""), lambda: writable_folder(closed)):
        with pytest.raises(InputError, match="cannot be written") as caught:
            write()
        assert str(closed) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        writable_folder(tmp_path)


def failing(times, number):
    """Reads a file whose first ``times`` attempts fail with an error number."""
    errors = iter([OSError(number, os.strerror(number))] * times)

    def read():
        for error in errors:
            raise error
        return b"content"

    return read


@pytest.fixture
def pauses(monkeypatch):
    """What was slept, without sleeping."""
    slept = []
    monkeypatch.setattr("perception.files.time.sleep", slept.append)
    return slept


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_share_that_fails_now_and_then_is_asked_again(tmp_path, pauses, number):
    assert patiently(tmp_path / "a", failing(2, number)) == b"content"
    assert pauses == [0.1, 0.5]


def test_a_share_that_stays_away_is_an_error(tmp_path, pauses):
    with pytest.raises(InputError, match=r"a: cannot be read \(Input/output error\)"):
        patiently(tmp_path / "a", failing(9, errno.EIO))
    assert pauses == [0.1, 0.5, 2.0]


def test_what_will_not_pass_is_not_waited_for(tmp_path, pauses):
    with pytest.raises(InputError, match="Permission denied"):
        patiently(tmp_path / "a", failing(1, errno.EACCES))
    assert pauses == []


def test_an_error_of_another_file_is_not_the_disks(tmp_path):
    with pytest.raises(FileNotFoundError, match="source"), atomic(tmp_path / "a"):
        (tmp_path / "source").read_text()
    assert names(tmp_path) == []


def test_json_survives(tmp_path):
    data = {"a": [1, 2.5, None, True], "ü": {"deep": "text"}}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert (tmp_path / "a.json").read_text().endswith("}\n")


def test_json_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"{'a': 1}", b"\xff\xfe\x00"])
def test_json_that_is_none(tmp_path, content):
    broken = tmp_path / "broken.json"
    broken.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.json: not valid JSON"):
        read_json(broken)


def test_json_that_is_too_deep(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json: not valid JSON \(nested too deeply"):
        read_json(tmp_path / "deep.json")


def test_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_json_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json: cannot be read \(No such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path)


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_would_be_read_for_ever_is_refused_at_once(tmp_path, what):
    path = tmp_path / "a.json"
    os.mkfifo(path) if what == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"a\.json: cannot be read \(neither a file nor a link to one\)"):
        read_json(path)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"{}")
    assert read_json(tmp_path / "link") == {}


def test_a_folder_is_made_and_left_empty(tmp_path):
    folder = writable_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert names(folder) == []
    assert writable_folder(folder) == folder


def test_a_later_file_is_checked_without_making_it(tmp_path):
    target = tmp_path / "runs" / "out.json"
    assert check_writable(target) == target
    assert names(tmp_path / "runs") == []


def test_a_later_file_that_will_fail(tmp_path, closed):
    with pytest.raises(InputError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(closed / "a.json")


COUNTER = """
import sys
from pathlib import Path
from perception.files import alone
for _ in range(20):
    with alone(Path(sys.argv[1])):
        count = int(Path(sys.argv[1]).read_text())
        Path(sys.argv[1]).write_text(str(count + 1))
"""


def test_processes_take_turns(tmp_path):
    count = tmp_path / "count"
    count.write_text("0")
    argv = [sys.executable, "-c", COUNTER, str(count)]
    both = [subprocess.Popen(argv) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (count.read_text(), names(tmp_path)) == ("40", ["count"])


def test_who_waits_says_so_once_and_goes_on_when_the_other_is_killed(tmp_path):
    script = (
        "import sys; from pathlib import Path; from perception.files import alone\n"
        "with alone(Path(sys.argv[1])):\n"
        "    print('in', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "count")]
    other = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"in\n"
    told = []

    def kill():
        told.append("waits")
        other.kill()

    with alone(tmp_path / "count", kill):
        assert told == ["waits"]
    other.communicate()
    assert names(tmp_path) == []
