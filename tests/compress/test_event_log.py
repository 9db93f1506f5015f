import os

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compress.event_log import EventLog
from perception.errors import InputError


def test_tensorboard_reads_what_was_written(tmp_path):
    folder = tmp_path / "runs" / "a.log"
    with EventLog(folder) as log:
        for step, value in enumerate((3.0, float("nan"), 0.5)):
            log("loss/lane", value, step)
            found = EventAccumulator(str(folder)).Reload().Scalars("loss/lane")
            assert len(found) == step + 1
    assert [event.step for event in found] == [0, 1, 2]
    assert [event.value for event in found[::2]] == [3.0, 0.5]


def test_a_log_goes_on_in_a_file_of_its_own(tmp_path, monkeypatch):
    for process in (1, 2):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        with EventLog(tmp_path) as log:
            log("lr", 0.1, process)
    assert len(list(tmp_path.iterdir())) == 2
    assert [event.step for event in EventAccumulator(str(tmp_path)).Reload().Scalars("lr")] == [1, 2]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    with EventLog(tmp_path) as log, pytest.raises(InputError, match=rf"^{tmp_path}: cannot be written \(No space left"):
        os.dup2(os.open("/dev/full", os.O_WRONLY), log._file.fileno())
        log("lr", 0.1, 1)


def test_a_file_in_the_folders_place_is_one_line(tmp_path):
    (tmp_path / "a.log").touch()
    with pytest.raises(InputError, match=r"a\.log: cannot be written \(File exists\)"):
        EventLog(tmp_path / "a.log")
