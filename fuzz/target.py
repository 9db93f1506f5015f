"""What a campaign needs to know of a reader."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fuzz.verdict import Read

SIZE = (32, 64)


class Target(NamedTuple):
    """A reader and its campaign.

    Attributes:
        read: the reader.
        seeds: what mutation starts from.
        runs: inputs of a campaign.
        spare_mib: memory that any input may take.
        growth: bytes of memory that a byte of the input may take.
    """

    read: Read
    seeds: list[bytes]
    runs: int
    spare_mib: int = 64
    growth: int = 200


def of_file(path: Path, read: Callable[[Path], Any], seeds: list[bytes], runs: int) -> Target:
    """A reader of files."""

    def given(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return Target(given, seeds, runs)


def of_json(path: Path, read: Callable[[Path], Any], contents: list[Any], runs: int) -> Target:
    """A reader of JSON files."""
    return of_file(path, read, [json.dumps(content).encode() for content in contents], runs)
