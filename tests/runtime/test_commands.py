import json

import pytest

from perception.command import main
from runtime.commands import register_evaluate, register_info, register_run

REGISTERS = (register_evaluate, register_run, register_info)


def runtime(*argv):
    return main("runtime", "", REGISTERS, [str(argument) for argument in argv])


def test_evaluate(network, dataset, tmp_path, capsys):
    file = tmp_path / "metrics.json"
    assert runtime("evaluate", network, "--data", dataset, "--protocol", "yolop", "--json", file) == 0
    assert "yolop" in capsys.readouterr().out
    assert json.loads(file.read_text())["detection"]["n_gt"] == 6


def test_run(network, dataset, tmp_path, capsys):
    out = tmp_path / "seen"
    assert runtime("run", network, "--source", dataset / "images/val", "--out", out, "--frames", 2) == 0
    assert len(list(out.iterdir())) == 2
    assert "2 frames" in capsys.readouterr().out


def test_info(network, capsys):
    assert runtime("info", network) == 0
    out = capsys.readouterr().out
    for fact in ("known, fp32", "64x96", "letterbox", "ab" * 32):
        assert fact in out


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (("evaluate", "NETWORK"), "--data"),
        (("evaluate", "NETWORK", "--data", "absent"), "absent"),
        (("run", "NETWORK", "--source", "absent.jpg", "--out", "x.jpg"), "absent.jpg: no such file"),
        (("info", "NETWORK.txt"), "no such file"),
    ],
)
def test_bad_input_is_one_line_and_status_2(network, capsys, tmp_path, monkeypatch, argv, fault):
    monkeypatch.chdir(tmp_path)
    assert runtime(*(text.replace("NETWORK", str(network)) for text in argv)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert fault in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["evaluate", "run", "info"])
def test_help_has_an_example(capsys, command):
    assert runtime(command, "--help") == 0
    assert f"runtime {command} student.onnx" in capsys.readouterr().out
