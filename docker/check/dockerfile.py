"""Reads Dockerfiles, as far as this project's go: one stage, no heredocs."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its lines joined."""

    name: str
    value: str

    def words(self) -> list[str]:
        """The value as a list: of the JSON that it ends with, or word by word, without options such as ``--chown``."""
        array = re.search(r"\[.*\]$", self.value)
        if array:
            return list(json.loads(array[0]))
        return [word for word in self.value.split() if not word.startswith("--")]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


def read_dockerfile(path: Path) -> list[Instruction]:
    """All instructions of a file, with its build arguments at their defaults."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    instructions = [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]
    arguments = dict(_pair(each.value) for each in instructions if each.name == "ARG")
    return [
        each._replace(value=expand(each.value, arguments)) if each.name == "FROM" else each for each in instructions
    ]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in the place of ``$NAME`` and ``${NAME}``; unknown ones are empty, as Docker has it."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: variables.get(match[1] or match[2], ""), text)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
