"""Processes that write the same file at the same time: it is always one of theirs, whole. Networks that share a process
answer as if each were alone.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np

from perception.files import atomic, remove
from runtime.backends import open_backend

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from pathlib import Path
from perception.files import write_json
for number in range(80):
    write_json(Path(sys.argv[1]), {"by": sys.argv[2], "data": [sys.argv[2]] * 5000})
"""


def test_one_report_by_three_processes(tmp_path):
    report = tmp_path / "report.json"
    argv = [sys.executable, "-c", WRITER, str(report)]
    writers = [subprocess.Popen([*argv, name]) for name in "abc"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if report.exists():
            content = json.loads(report.read_text())
            assert content["data"] == [content["by"]] * 5000
            seen.add(content["by"])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


PAGES = """
import sys
from pathlib import Path
from fuzz.records import REPORT
from panoedge.report import write_report
for number in range(30):
    write_report({**REPORT, "title": f"{sys.argv[2]} {number}"}, Path(sys.argv[1]))
"""


def test_one_folder_of_pages_by_two_processes(tmp_path):
    out = tmp_path / "pages"
    writers = [subprocess.Popen([sys.executable, "-c", PAGES, str(out), name], cwd=ROOT) for name in ("this", "that")]
    assert [writer.wait() for writer in writers] == [0, 0]
    title = json.loads((out / "report.json").read_text())["title"]
    assert title in ("this 29", "that 29")
    assert f"<h1>{title}</h1>" in (out / "report.html").read_text()
    assert (out / "report.md").read_text().startswith(f"# {title}\n")
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]


def test_one_checkpoint_by_two_trainings(panoedge, scenes, tmp_path, same_weights):
    out = tmp_path / "both" / "out.safetensors"
    options = ["--size", "64x96", "--width", "0.25", "--batch", "2", "--epochs", "1", "--validate-every", "0"]
    train = ["train", "--data", str(scenes), *options, "--device", "cpu", "--precision", "fp32", "--out"]
    other = subprocess.Popen(
        [sys.executable, "-m", "panoedge", *train, str(out)],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert panoedge.run(*train, out).status == 0
    _, errors = other.communicate()
    assert other.returncode == 0, errors
    assert panoedge.run(*train, tmp_path / "alone.safetensors").status == 0
    assert same_weights(out, tmp_path / "alone.safetensors")
    assert {path.suffix for path in out.parent.iterdir()} == {".safetensors", ".log"}


def test_what_a_killed_process_left_goes_with_the_next_write_and_what_is_in_use_stays(tmp_path):
    target = tmp_path / "out.bin"
    script = (
        "import os, sys, time; from pathlib import Path; from perception.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half'); print('ready', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    (left,) = tmp_path.iterdir()
    with atomic(target) as temporary:
        assert temporary.parent != left
        temporary.write_bytes(b"whole")
    assert left.exists() and target.read_bytes() == b"whole"
    process.kill()
    process.communicate()
    assert left.exists()
    with atomic(target) as temporary:
        assert not temporary.exists()
        temporary.write_bytes(b"next")
    assert [path.name for path in tmp_path.iterdir()] == ["out.bin"]
    assert target.read_bytes() == b"next"
    left.mkdir()
    remove(target)
    assert not list(tmp_path.iterdir())


def test_two_networks_in_one_process_do_not_disturb_each_other(exported):
    def answers(backend, seed):
        rng = np.random.default_rng(seed)
        shape = (1, *backend.info.spec.size, 3)
        return [astuple(backend.infer(rng.integers(0, 256, shape, np.uint8))) for _ in range(20)]

    with open_backend(exported, "cpu") as backend:
        alone = [answers(backend, seed) for seed in (1, 2)]
    first, second = (open_backend(exported, "cpu") for _ in range(2))
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(answers, (first, second), (1, 2)))
    first.close()
    with second:
        np.testing.assert_equal([*together, answers(second, 1)], [*alone, alone[0]])
