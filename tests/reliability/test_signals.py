"""SIGINT and SIGTERM: one line, the right status, what was done kept; a second one ends at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perception import stop

TRAIN = ["--size", "64x96", "--width", 0.25, "--batch", 2, "--device", "cpu", "--precision", "fp32"]
SIGNALS = {signal.SIGINT: (130, "panoedge: interrupted"), signal.SIGTERM: (143, "panoedge: terminated")}


def wait_for(there, command):
    """Until a path is there."""
    for _ in range(1200):
        if there():
            return
        time.sleep(0.05)
    raise AssertionError(command.log.read_text())


def children(pid):
    """Numbers of the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 0), (signal.SIGTERM, 2)])
def test_training_stops_between_steps_and_goes_on_as_if_it_had_not(
    panoedge, scenes, tmp_path, same_weights, number, workers
):
    def argv(folder):
        out = tmp_path / folder / "out.safetensors"
        fixed = ["train", "--data", scenes, *TRAIN, "--epochs", 3, "--validate-every", 0, "--workers", workers]
        return [*fixed, "--resume", "--out", out]

    assert panoedge.run(*argv("whole")).status == 0
    command = panoedge.start(*argv("stopped"))
    state = tmp_path / "stopped" / "out.state.safetensors"
    wait_for(state.exists, command)
    command.end(number)
    status, line = SIGNALS[number]
    assert command.status == status
    assert command.lines == [line]
    assert sorted(path.name for path in state.parent.iterdir()) == ["out.log", state.name]
    assert panoedge.run(*argv("stopped")).status == 0
    assert same_weights(tmp_path / "stopped" / "out.safetensors", tmp_path / "whole" / "out.safetensors")


def test_a_reader_that_is_killed_ends_training_in_one_line(panoedge, scenes, tmp_path, same_weights):
    fixed = ["train", "--data", scenes, *TRAIN, "--epochs", 3, "--validate-every", 0, "--workers", 2, "--resume"]
    out = tmp_path / "killed" / "out.safetensors"
    command = panoedge.start(*fixed, "--out", out)
    state = out.with_name("out.state.safetensors")
    wait_for(state.exists, command)
    for child in children(command.pid):
        os.kill(child, signal.SIGKILL)
    assert command.status == 2
    assert command.lines == [
        "panoedge: a process that reads frames was killed, perhaps for want of memory; "
        "lower --workers and repeat with --resume"
    ]
    assert state.exists()
    assert panoedge.run(*fixed, "--out", out).status == 0
    assert panoedge.run(*fixed, "--out", tmp_path / "whole" / "out.safetensors").status == 0
    assert same_weights(out, tmp_path / "whole" / "out.safetensors")


def test_scenes_that_are_being_drawn_vanish(panoedge, tmp_path):
    command = panoedge.start("data", "synthesize", tmp_path / "scenes", "--train", 500, "--val", 1, "--workers", 1)
    wait_for(lambda: list(tmp_path.rglob("*.jpg")), command)
    command.end(signal.SIGTERM)
    assert (command.status, command.lines) == (143, ["panoedge: terminated"])
    assert not list(tmp_path.iterdir())


def test_processes_that_draw_end_with_the_one_that_started_them(panoedge, tmp_path):
    command = panoedge.start("data", "synthesize", tmp_path / "scenes", "--train", 500, "--val", 1, "--workers", 2)
    wait_for(lambda: list(tmp_path.rglob("*.jpg")), command)
    drawing = children(command.pid)
    assert len(drawing) >= 2
    command.end(signal.SIGKILL)
    assert command.status == -9
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in drawing), command)
    assert not (tmp_path / "scenes").exists()


SCRIPT = """
import sys, time
from perception import stop
from perception.command import main
def work(arguments):
    with stop.held() as stopping:
        print("ready", flush=True)
        while not (stopping() and sys.argv[1] != "deaf"):
            time.sleep(0.01)
    print("never")
def slowly(arguments):
    try:
        work(arguments)
    finally:
        print("cleaning", flush=True)
        time.sleep(60)
def register(subparsers):
    subparsers.add_parser("work").set_defaults(run=slowly if sys.argv[1] == "slow" else work)
sys.exit(main("tool", "", [register], ["work"]))
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_at_once(number):
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "deaf"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(number)
        assert process.wait() == -number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_what_the_first_has_begun_to_end(number):
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "slow"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(number)
        assert process.wait() == -number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_held_is_raised_at_the_end_of_the_block(number):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SCRIPT, "polite"], **streams) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        status, line = SIGNALS[number]
        assert process.wait() == status
        assert process.stderr.read() == line.replace("panoedge", "tool") + "\n"
        assert process.stdout.read() == ""


def test_handlers_are_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(stop.Terminated), stop.raised(), stop.held() as stopping:
        assert not stopping()
        signal.raise_signal(signal.SIGTERM)
        assert stopping()
    assert [signal.getsignal(number) for number in SIGNALS] == before
