import json

import cv2
import numpy as np
import pytest

from panoedge.report.schema import load
from perception.command import main
from runtime.commands import register_bench, register_evaluate, register_info, register_run

REGISTERS = (register_bench, register_evaluate, register_run, register_info)
QUICK = ("--seconds", "0.05", "--count", "5")


def runtime(*argv):
    return main("runtime", "", REGISTERS, [str(argument) for argument in argv])


def test_bench_writes_a_report(network, dataset, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert runtime("bench", network, "--data", dataset, "--min-fps", 0.001, "--json", report, *QUICK) == 0
    printed = capsys.readouterr()
    for name in ("network", "frame", "stream", "frame split", "lane IoU"):
        assert name in printed.out
    content = load(report)
    (model,) = content["models"]
    assert model["name"] == "known"
    assert model["metrics"]["frames"] == 3
    assert model["speed"]["stream"]["count"] >= 5
    assert content["gate"]["passed"]
    assert content["device"]["provider"] == "CPUExecutionProvider"


def test_gate_fails_after_the_report_is_written(network, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert runtime("bench", network, "--min-fps", 1e9, "--fps-of", "frame", "--json", report, *QUICK) == 1
    assert "gate failed: frame " in capsys.readouterr().err
    gate = load(report)["gate"]
    assert (gate["fps_of"], gate["min_fps"], gate["passed"]) == ("frame", 1e9, False)


def test_bench_takes_frames_from_a_source(network, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "frame.png"), np.zeros((90, 160, 3), np.uint8))
    assert runtime("bench", network, "--source", tmp_path, *QUICK) == 0
    out = capsys.readouterr().out
    assert f"frames: {tmp_path}" in out
    assert "read" in out
    assert "gate" not in out


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
        (("bench", "absent.onnx"), "absent.onnx: no such file"),
        (("bench", "NETWORK", "--min-fps", "fast"), "not a number above 0"),
        (("bench", "NETWORK", "--seconds", "-1"), "not a number above 0"),
        (("bench", "NETWORK", "--count", "0"), "not a whole number"),
        (("bench", "NETWORK", "--source", "absent.mp4"), "absent.mp4: no such file"),
        (("bench", "NETWORK", "--data", "absent"), "absent"),
        (("bench", "NETWORK", "--json", "/dev/null/report.json"), "/dev/null"),
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


@pytest.mark.parametrize("command", ["bench", "evaluate", "run", "info"])
def test_help_has_an_example(capsys, command):
    assert runtime(command, "--help") == 0
    assert f"runtime {command} student.onnx" in capsys.readouterr().out
