import json

import pytest

from panoedge.model_commands import register_evaluate, register_info, register_verify
from panoedge.report.write import write_report
from perception import checkpoint
from perception.command import main
from perception.cost import cost


def panoedge(*argv: object) -> int:
    return main(
        "panoedge", "", [register_evaluate, register_info, register_verify], [str(argument) for argument in argv]
    )


def test_a_checkpoint_and_its_export_are_measured_alike(checkpoint_file, onnx_file, dataset, tmp_path, capsys):
    measured = []
    for file in (checkpoint_file, onnx_file):
        out = tmp_path / f"{file.suffix}.json"
        assert panoedge("evaluate", file, "--data", dataset, "--protocol", "yolop", "--json", out) == 0
        measured.append(json.loads(out.read_text()))
        assert "yolop" in capsys.readouterr().out
    for metrics in measured:
        assert (metrics["frames"], metrics["split"], metrics["detection"]["n_gt"]) == (2, "val", 2)
    assert measured[0]["lane"]["IoU"] == pytest.approx(measured[1]["lane"]["IoU"], abs=0.01)


def test_an_export_sees_what_its_checkpoint_does(checkpoint_file, onnx_file, capsys):
    assert panoedge("verify", onnx_file, "--against", checkpoint_file) == 0
    assert capsys.readouterr().out.endswith(f"{onnx_file} answers what {checkpoint_file} does, on 4 pictures\n")
    assert panoedge("verify", checkpoint_file, "--against", onnx_file) == 2
    assert "not an exported network" in capsys.readouterr().err


def test_info_of_a_checkpoint(checkpoint_file, capsys):
    assert panoedge("info", checkpoint_file) == 0
    out = capsys.readouterr().out
    for fact in ("yolop, fp32", "64x96 (HxW), letterbox", "width 0.25", "1. train", "schedule.epochs: 3", "2. prune"):
        assert fact in out
    assert "drivable 0.5, lane 0.5" in out
    channels = {line.split()[2]: line for line in out.splitlines() if line.startswith("channels of")}
    assert channels["all"].endswith("%)")
    assert channels["backbone+neck"].endswith("none removed")


def test_info_of_a_checkpoint_layer_by_layer(checkpoint_file, capsys):
    assert panoedge("info", checkpoint_file, "--layers") == 0
    network = checkpoint.load(checkpoint_file).network
    lines = {
        line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.endswith(" parameters")
    }
    assert list(lines) == list(checkpoint.layer_widths(network))
    widths = [int(line[1]) for line in lines.values()]
    assert widths == [written for _, written, _ in checkpoint.layer_widths(network).values()]
    assert sum(int(line[-2].replace(",", "")) for line in lines.values()) == cost(network).parameters
    narrowed = [line for line in lines.values() if line[2] == "of"]
    assert narrowed and all(int(line[1]) < int(line[3]) and line[4] == "channels" for line in narrowed)


def test_layers_are_those_of_checkpoints(onnx_file, capsys):
    assert panoedge("info", onnx_file, "--layers") == 2
    assert "--layers is for checkpoints" in capsys.readouterr().err


def test_info_of_an_export(onnx_file, capsys):
    assert panoedge("info", onnx_file) == 0
    assert "yolop, fp32" in capsys.readouterr().out


def test_info_of_a_report(tmp_path, capsys):
    report = {
        "schema": "panoedge.report/1",
        "created": "2026-01-02T03:04:05+00:00",
        "title": "student on a board",
        "device": {"name": "a board"},
        "models": [
            {
                "name": "student",
                "file": "student.onnx",
                "sha256": "ab" * 32,
                "bytes": 1000,
                "kind": "onnx",
                "input": {
                    "size": [64, 96],
                    "resize": "letterbox",
                    "thresholds": {"drivable": 0.5, "lane": 0.5},
                    "needs_nms": True,
                },
                "history": [],
                **dict.fromkeys(("precision", "network", "parameters", "macs", "metrics", "speed")),
            }
        ],
    }
    write_report(report, tmp_path)
    assert panoedge("info", tmp_path / "report.json") == 0
    out = capsys.readouterr().out
    assert out.startswith("# student on a board\n")
    assert "student.onnx" in out


@pytest.mark.parametrize("name", ["weights.pt", "photograph.jpg", "model"])
def test_info_of_another_file(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"something")
    assert panoedge("info", tmp_path / name) == 2
    assert (
        f"{name}: no checkpoint (.safetensors), exported network (.onnx, .engine) or report (.json)"
        in capsys.readouterr().err
    )
