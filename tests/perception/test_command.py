import os
import subprocess
import sys

import pytest

from perception.command import main
from perception.errors import GateFailed, InputError
from perception.stop import Terminated


def program(action):
    """Runs a program with one subcommand, ``act --size N``, that does ``action(arguments)``."""

    def register(subparsers):
        parser = subparsers.add_parser("act", description="Acts.\n\nexample:\n  tool act --size 3", help="acts")
        parser.add_argument("--size", type=int, default=7, help="how much")
        parser.add_argument("--name", help="what to call it")
        parser.add_argument("--also", nargs="+", default=[], help="others")
        parser.set_defaults(run=action)

    return lambda *argv: main("tool", "A tool.", [register], argv)


def failing(error):
    def action(_):
        raise error

    return program(action)


def test_done(capsys):
    seen = []
    assert program(lambda arguments: seen.append(arguments.size))("act", "--size", "3") == 0
    assert seen == [3]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.json: not valid JSON"), 2, "tool: a.json: not valid JSON\n"),
        (GateFailed("31.0 FPS, 32 asked"), 1, "tool: gate failed: 31.0 FPS, 32 asked\n"),
        (InputError("a\n\x1b[31m\u202eb.jpg: no"), 2, "tool: a\\n\\x1b[31m\\u202eb.jpg: no\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
        (Terminated(), 143, "tool: terminated\n"),
        (OSError(28, "No space left on device", "log/events"), 2, "tool: log/events: No space left on device\n"),
        (OSError(28, "No space left on device"), 2, "tool: a file: No space left on device\n"),
        (MemoryError("no"), 2, "tool: out of memory (no); a smaller batch, or no --cache, takes less\n"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), 2, "tool: out of memory (CUDA); a smaller batch, or"),
        (SystemExit(5), 5, ""),
        (SystemExit(), 0, ""),
    ],
)
def test_a_bad_end_is_one_line_and_a_status(capsys, error, status, line):
    assert failing(error)("act") == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(line) and err.count("\n") == bool(line)


@pytest.mark.parametrize(
    ("missing", "group"), [("torch", "compress"), ("torch.nn", "compress"), ("onnx", "export"), ("onnx_ir", "export")]
)
def test_a_library_that_is_not_installed_names_its_group(capsys, missing, group):
    assert failing(ModuleNotFoundError(f"No module named {missing!r}", name=missing))("act") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"pip install 'panoedge[{group}]'\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModuleNotFoundError("No module", name="perception.typo")])
def test_a_fault_of_the_program_is_not_hidden_and_no_failed_gate(capsys, error):
    assert failing(error)("act") == 70
    assert "Traceback (most recent call last):" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [(), ("fly",), ("act", "--size", "big"), ("act", "--colour", "red"), ("act", "more")])
def test_bad_usage_is_one_line(capsys, argv):
    assert program(print)(*argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tool")
    assert err.endswith("--help)\n")
    assert err.count("\n") == 1


def test_help_lists_commands(capsys):
    assert program(print)("--help") == 0
    out = capsys.readouterr().out
    assert "A tool." in out
    assert "acts" in out


def test_help_of_a_command_shows_defaults_and_keeps_examples(capsys):
    assert program(print)("act", "--help") == 0
    out = capsys.readouterr().out
    assert "how much (default: 7)" in out
    assert out.count("default") == 1
    assert "what to call it\n" in out
    assert "example:\n  tool act --size 3\n" in out


def test_commands_of_several_parts_join(capsys):
    registers = [lambda sub, name=name: sub.add_parser(name).set_defaults(run=lambda _: print(name)) for name in "ab"]
    assert main("tool", "A tool.", registers, ["b"]) == 0
    assert capsys.readouterr().out == "b\n"


def test_names_of_files_that_are_no_characters_can_be_printed(capsys):
    odd = os.fsdecode(b"frame-\xff.jpg")

    def action(_):
        print(odd)
        raise InputError(f"{odd}: broken")

    assert program(action)("act") == 2
    assert capsys.readouterr() == ("frame-\\udcff.jpg\n", "tool: frame-\\udcff.jpg: broken\n")


def test_a_reader_that_leaves_early_is_no_fault():
    script = (
        "from perception.command import main\n"
        "def run(_):\n"
        "    for number in range(100000): print(number)\n"
        "def register(sub): sub.add_parser('count').set_defaults(run=run)\n"
        "raise SystemExit(main('tool', '', [register], ['count']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout.readline() == "0\n"
        tool.stdout.close()
        assert tool.stderr.read() == ""
