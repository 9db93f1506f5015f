"""A short campaign in every test run: mutations that nothing guides, and some that atheris guides where it is there."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.targets import targets, warm_up
from fuzz.verdict import Finding, Judge
from perception.errors import InputError

INPUTS = {"board": 25, "report-page": 60, "checkpoint-config": 50}
NAMES = list(targets(Path()))


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(tmp_path_factory.mktemp("fuzz"))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The same bytes with a few changed, moved, repeated or lost."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        start, other = rng.randrange(len(changed)), rng.randrange(len(changed))
        end = start + rng.choice((1, 2, 8, 40))
        kinds = (rng.randbytes(1), b"", changed[start:end] * 2, changed[other : other + 30], b"\0\xff9"[other % 3 :])
        changed[start:end] = rng.choice(kinds)
        changed = changed or bytearray(b"x")
    return bytes(changed)


@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_takes_its_own_files_and_takes_or_refuses_others(judge, name):
    target = targets(judge.folder)[name]()
    warm_up(target)
    assert judge.try_out(target.read, target.seeds[0], target.spare_mib, target.growth) or name == "checkpoint-config"
    rng = random.Random(0)
    for _ in range(INPUTS.get(name, 200)):
        data = mutated(rng.choice(target.seeds), rng)
        judge.try_out(target.read, data, target.spare_mib, target.growth)


def test_what_a_reader_must_not_do_is_found(judge, tmp_path):
    def verdict(read) -> str:
        with pytest.raises(Finding) as found:
            judge.try_out(read, b"data", spare_mib=8, growth=1)
        return str(found.value)

    def refuse(data):
        raise InputError("two\nlines")

    (tmp_path / "secret").touch()
    assert "secret" in verdict(lambda data: (tmp_path / "secret").read_bytes())
    assert "subprocess.Popen" in verdict(lambda data: subprocess.run(["true"], check=True))
    assert "MiB for 4 bytes" in verdict(lambda data: bytearray(b"x" * (200 << 20)))
    assert "not one line" in verdict(refuse)
    with pytest.raises(ZeroDivisionError):
        judge.try_out(lambda data: 1 / 0, b"", spare_mib=8, growth=1)


def test_a_guided_campaign(tmp_path):
    pytest.importorskip("atheris")
    argv = ["labels-txt", "onnx-metadata", "--runs", "2000", "--keep", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "fuzz", *argv], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("2,000 inputs") == 2
