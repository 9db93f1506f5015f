"""Every command that the pages show exists, with these options."""

import argparse
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from perception import command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("compress", "export", "panoedge", "runtime")


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """This project's commands in the code blocks of a page, with the room in the place of ``python -m``."""
    # Blocks of other languages too, or the end of one would be taken for the beginning of the next.
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in ("", "bash", "sh"):
            for line in block.replace("\\\n", "").splitlines():
                yield from _in_line(line)


def _in_line(line: str) -> Iterator[tuple[str, ...]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for words in _split(lexer):
        # What runs it may come before: a container, for one.
        starts = [at for at in range(len(words) - 2) if words[at : at + 2] == ("python", "-m")]
        for start in starts:
            if words[start + 2] in ROOMS:
                yield words[start + 2 :]
        if words[:1] == ("panoedge",):
            yield words


def _split(words: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """The commands of a line, which operators such as ``&&`` keep apart."""
    one: list[str] = []
    for word in words:
        if set(word) <= set("();<>|&"):
            yield tuple(one)
            one = []
        else:
            one.append(word)
    yield tuple(one)


@pytest.fixture(scope="module")
def parsers() -> dict[str, argparse.ArgumentParser]:
    """What ``python -m ROOM`` parses with, by room."""
    parsers = {}

    def take(prog, description, registers, argv=None):
        parser = parsers[prog.split()[-1]] = argparse.ArgumentParser(prog=prog)
        subparsers = parser.add_subparsers(required=True)
        for register in registers:
            register(subparsers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "main", take)
        for room in ROOMS:
            with pytest.raises(SystemExit):
                runpy.run_module(room, run_name="__main__")
    return parsers


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page, parsers):
    for room, *arguments in commands(page.read_text(encoding="utf-8")):
        parsers[room].parse_args(arguments)


def test_what_stands_between_blocks_is_no_command():
    text = "```python\nx = 1\n```\nA teacher's answer.\n```\npanoedge info a.onnx\n```\n"
    assert list(commands(text)) == [("panoedge", "info", "a.onnx")]


def test_commands_are_found():
    text = """
```
docker run it python -m runtime bench a.engine \\
    --min-fps 32; echo $?
panoedge demo --out "two words" && panoedge info x  # and so on
ssh board mkdir panoedge
```
```python
panoedge = 3
```
"""
    assert list(commands(text)) == [
        ("runtime", "bench", "a.engine", "--min-fps", "32"),
        ("panoedge", "demo", "--out", "two words"),
        ("panoedge", "info", "x"),
    ]
    assert {("export", "engine"), ("runtime", "bench"), ("panoedge", "export")} <= {
        words[:2] for words in commands((ROOT / "docs" / "jetson.md").read_text(encoding="utf-8"))
    }
