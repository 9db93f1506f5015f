import json

import cv2
import numpy as np
import pytest

from panoedge.data_command import register
from perception.command import main
from perception.data import open_dataset


def panoedge(*arguments: object) -> int:
    return main("panoedge", "", [register], ["data", *map(str, arguments)])


@pytest.fixture
def made(tmp_path):
    """A synthetic data set made by the command itself."""
    out = tmp_path / "made"
    assert panoedge("synthesize", out, "--train", 2, "--val", 1, "--size", "128x96", "--workers", 1) == 0
    return out


def test_what_is_synthesized_has_no_faults(made, capsys):
    assert open_dataset(made, "train")[0].image.shape == (96, 128, 3)
    assert panoedge("check", made) == 0
    output = capsys.readouterr().out
    assert "yolop layout" in output
    assert "128x96: 2" in output
    assert output.endswith("no faults\n")


def test_faults_fail_the_gate_and_are_listed_with_counts(made, capsys, tmp_path):
    mask = next((made / "da_seg_annotations/val").iterdir())
    cv2.imwrite(str(mask), np.full((96, 128), 9, np.uint8))
    assert panoedge("check", made, "--json", tmp_path / "faults.json") == 1
    captured = capsys.readouterr()
    assert f"unexpected mask value: 1\n  {mask}: 9\n" in captured.out
    assert "gate failed" in captured.err
    assert json.loads((tmp_path / "faults.json").read_text())["counts"] == {"unexpected mask value": 1}


def test_many_faults_of_a_kind_are_shown_in_part(made, capsys):
    for number in range(9):
        (made / f"det_annotations/val/extra{number}.json").write_text("{}")
    assert panoedge("check", made) == 1
    output = capsys.readouterr().out
    assert "label without picture: 9\n" in output
    assert "  ... and 4 more\n" in output
    assert output.count("extra") == 5


def test_a_folder_without_data_set_is_bad_input(tmp_path, capsys):
    assert panoedge("check", tmp_path) == 2
    assert "not a data set" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["640", "640x", "axb"])
def test_a_malformed_size_is_bad_usage(tmp_path, capsys, size):
    assert panoedge("synthesize", tmp_path / "out", "--train", 1, "--val", 1, "--size", size) == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err
