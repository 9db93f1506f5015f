import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from panoedge.report.schema import load
from perception.command import main
from runtime.bench_command import register
from runtime.watch import Watch

DOCS = Path(__file__).parents[2] / "docs"
QUICK = ("--seconds", "0.05", "--count", "5")


def bench(*argv):
    return main("runtime", "", (register,), ["bench", *map(str, argv)])


def test_a_report_of_everything(network, dataset, tmp_path, capsys):
    report = tmp_path / "report.json"
    asked = ("--data", dataset, "--min-fps", 0.001, "--max-latency-p99", 1e6, "--rate", 100, "--profile")
    assert bench(network, *asked, "--json", report, *QUICK) == 0
    printed = capsys.readouterr()
    for part in (
        "network",
        "frame",
        "stream",
        "frame split",
        "lane IoU",
        "at 100 frames a second",
        "by room",
        "passed",
    ):
        assert part in printed.out
    content = load(report)
    (model,) = content["models"]
    assert model["name"] == "known"
    assert model["metrics"]["frames"] == 3
    assert model["speed"]["stream"]["count"] >= 5
    assert model["speed"]["paced"]["rate"] == 100
    assert model["profile"]["rooms"]
    assert [gate["passed"] for gate in model["gates"]] == [True, True]
    assert content["device"]["provider"] == "CPUExecutionProvider"
    assert [phase["name"] for phase in content["run"]["phases"]] == [
        "profile known",
        *("network", "frame", "stream"),
        "paced known",
    ]


def test_every_field_of_a_report_is_documented(network, dataset, tmp_path):
    report = tmp_path / "report.json"
    asked = ("--data", dataset, "--min-fps", 0.001, "--rate", 100, "--profile", "--overlays", 1)
    assert bench(network, *asked, "--json", report, *QUICK) == 0
    pages = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("report.md", "benchmark.md", "metrics.md"))
    assert [name for name in sorted(set(fields(load(report)))) if f"`{name}`" not in pages] == []


def fields(value, inside=""):
    """Names of all fields, but of those whose names are data: facts, rooms, rails and zones."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item, inside)
    elif isinstance(value, dict):
        for name, item in value.items():
            if inside not in ("device", "rooms", "power", "temperature", "clock", "load", "memory"):
                yield name
            yield from fields(item, name)


def test_a_network_of_two_pictures_is_told_before_anything_is_measured(export_onnx, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("runtime.bench_command.evaluate", None)
    assert bench(export_onnx(tmp_path / "two.onnx", batch=2), "--data", tmp_path, *QUICK) == 2
    assert "takes 2 pictures at a time" in capsys.readouterr().err


def test_several_networks_take_turns_and_the_last_is_judged(network, larger_network, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert bench(network, larger_network, "--min-fps", 1e9, "--json", report, *QUICK) == 1
    assert "stream larger" in capsys.readouterr().out
    first, second = load(report)["models"]
    assert "ratio" not in first["speed"]["frame"]
    assert second["speed"]["frame"]["ratio"]["median"] > 0
    assert "gates" not in first
    assert [gate["passed"] for gate in second["gates"]] == [False]


def test_networks_of_one_name_are_told_apart(network, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert bench(network, network, "--rate", 100, "--overlays", 1, "--json", report, *QUICK) == 0
    content, names = load(report), ["known (1)", "known (2)"]
    assert [model["name"] for model in content["models"]] == names
    assert [panel["label"] for panel in content["overlays"][0]["panels"]] == names
    assert [phase["name"] for phase in content["run"]["phases"]][-2:] == [f"paced {name}" for name in names]
    printed = capsys.readouterr().out
    assert all(f"stream {name} " in printed for name in names)


def test_all_gates_are_reported_in_one_line_after_the_report_is_written(network, dataset, tmp_path, capsys):
    reference, report = tmp_path / "reference.json", tmp_path / "report.json"
    assert bench(network, "--data", dataset, "--json", report, *QUICK) == 0
    metrics = load(report)["models"][0]["metrics"]
    metrics["lane"]["IoU"] = 1.05
    reference.write_text(json.dumps(metrics))
    capsys.readouterr()
    asked = ("--data", dataset, "--reference", reference, "--max-drop", 2)
    gates = ("--min-fps", 1e9, "--fps-of", "frame", "--max-latency-p99", 1e-6)
    assert bench(network, *asked, *gates, "--json", report, *QUICK) == 1
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if "gate failed" in line]
    for part in ("frame ", "at least 1e+09 asked for", "frame p99 ", "lane IoU below its reference 5.00 points"):
        assert part in line
    (model,) = load(report)["models"]
    assert [gate["passed"] for gate in model["gates"]] == [False, False, False]
    assert model["drop"]["points"]["lane_IoU"] == pytest.approx(5)
    assert "against" in captured.out


def test_frames_from_a_source(network, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "frame.png"), np.zeros((90, 160, 3), np.uint8))
    assert bench(network, "--source", tmp_path, *QUICK) == 0
    out = capsys.readouterr().out
    assert f"frames: {tmp_path}" in out
    assert "read" in out
    assert "gate" not in out


def test_frames_per_joule_of_a_network_measured_alone(network, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Watch, "watts", lambda watch, phase: asked.append(phase) or 5.0)
    report = tmp_path / "report.json"
    assert bench(network, "--json", report, *QUICK) == 0
    stream = load(report)["models"][0]["speed"]["stream"]
    assert asked == ["stream"]
    assert (stream["watts"], stream["frames_per_joule"]) == (5, pytest.approx(stream["fps"] / 5))
    assert bench(network, network, "--json", report, *QUICK) == 0
    assert all("watts" not in model["speed"]["stream"] for model in load(report)["models"])


def test_a_source_that_breaks_leaves_a_report_that_passes_no_gate(network, tmp_path, capsys):
    report, film = tmp_path / "report.json", tmp_path / "film"
    film.mkdir()
    for index in range(3):
        cv2.imwrite(str(film / f"{index}.png"), np.zeros((90, 160, 3), np.uint8))
    (film / "3.png").write_bytes(b"cut off")
    asked = ("--source", film, "--rate", 100, "--min-fps", 0.001)
    assert bench(network, *asked, "--json", report, *QUICK) == 1
    captured = capsys.readouterr()
    content = load(report)
    assert content["run"]["lost"].startswith(f"{film / '3.png'}: ")
    assert f"ended early: {film / '3.png'}" in captured.out
    assert content["models"][0]["speed"]["network"]["count"] >= 5
    assert content["models"][0]["speed"]["stream"] is None
    assert "stream was not measured" in captured.err


def test_what_is_seen_lies_beside_the_report(network, larger_network, tmp_path):
    report, film = tmp_path / "board.json", tmp_path / "film"
    film.mkdir()
    for index in range(7):
        cv2.imwrite(str(film / f"{index}.png"), np.full((90, 160, 3), 30 * index, np.uint8))
    assert bench(network, larger_network, "--source", film, "--overlays", 3, "--json", report, *QUICK) == 0
    overlays = load(report)["overlays"]
    assert [scene["title"] for scene in overlays] == ["film, 0", "film, 2", "film, 4"]
    assert [panel["label"] for panel in overlays[0]["panels"]] == ["known", "larger"]
    for scene in overlays:
        for panel in scene["panels"]:
            assert cv2.imread(str(tmp_path / panel["file"])).shape == (90, 160, 3)


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (("NETWORK", "--overlays", "2"), "--json"),
        (("absent.onnx",), "absent.onnx: no such file"),
        (("NETWORK", "absent.onnx"), "absent.onnx: no such file"),
        (("NETWORK", "--min-fps", "fast"), "not a number above 0"),
        (("NETWORK", "--seconds", "-1"), "not a number above 0"),
        (("NETWORK", "--count", "0"), "not a whole number"),
        (("NETWORK", "--rate", "0"), "not a number above 0"),
        (("NETWORK", "--max-drop", "-1"), "not a number of 0 or more"),
        (("NETWORK", "--max-drop", "1"), "--reference"),
        (("NETWORK", "--reference", "x.json"), "--data"),
        (("NETWORK", "--reference", "x.json", "--data", "absent"), "x.json: cannot be read"),
        (("NETWORK", "--source", "absent.mp4"), "absent.mp4: no such file"),
        (("NETWORK", "--data", "absent"), "absent"),
        (("NETWORK", "--json", "/dev/null/report.json"), "/dev/null"),
    ],
)
def test_bad_input_is_one_line_and_status_2(network, capsys, tmp_path, monkeypatch, argv, fault):
    monkeypatch.chdir(tmp_path)
    assert bench(*(text.replace("NETWORK", str(network)) for text in argv)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert fault in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples(capsys):
    assert bench("--help") == 0
    assert "runtime bench student.onnx" in capsys.readouterr().out
