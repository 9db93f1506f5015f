"""``verify``: two files of one network on the same pictures."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from perception.command import main
from runtime import verify_command
from runtime.answers import Answers
from runtime.verify_command import allowed
from tests.runtime.conftest import deployed


def verify(*argv):
    return main("runtime", "", [verify_command.register], ["verify", *map(str, argv)])


@pytest.fixture
def changed(network, tmp_path):
    """Writes a copy of ``network`` with some of its constants multiplied and another precision in its metadata."""
    onnx = pytest.importorskip("onnx")

    def write(precision="fp32", **factors):
        model, path = onnx.load(network), tmp_path / f"{precision}.onnx"
        for constant in model.graph.initializer:
            scaled = onnx.numpy_helper.to_array(constant) * np.float32(factors.pop(constant.name, 1))
            if scaled.dtype == np.float32:
                constant.CopyFrom(onnx.numpy_helper.from_array(scaled, constant.name))
        assert not factors
        (entry,) = model.metadata_props
        entry.value = entry.value.replace('"fp32"', f'"{precision}"')
        onnx.save(model, path)
        return path

    return write


def test_a_file_sees_what_its_copy_does(network, changed, dataset, capsys):
    copy = changed()
    assert verify(copy, "--against", network, "--images", dataset / "images/val", "--data", dataset) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"difference to {network}")
    for line in ("scores", "boxes, px", "drivable, levels", "lane, %", "recall, points", "lane_IoU, points"):
        assert f"\n{line}" in out
    assert out.endswith(f"{copy} answers what {network} does, on 3 pictures\n")


@pytest.mark.parametrize(
    ("constant", "factor", "named"),
    [
        ("white", 0.97, "lane, % of pixels off by more than 1: 100, allowed 0"),
        ("boxes_", 1.01, "boxes, % off by more than 0.1 px"),
        ("scores_", 0.99, "scores, % off by more than 0.0001: "),
    ],
)
def test_a_difference_is_named_and_status_1(network, changed, capsys, constant, factor, named):
    other = changed(**{constant: factor})
    assert verify(other, "--against", network) == 1
    captured = capsys.readouterr()
    assert "difference to" in captured.out and "answers what" not in captured.out
    assert f"{other} differs from {network} in" in captured.err and named in captured.err


@pytest.mark.parametrize("side", ["model", "reference"])
def test_what_a_precision_explains_is_allowed(network, changed, side):
    half = changed("fp16", scores_=0.99)
    assert verify(*((half, "--against", network) if side == "model" else (network, "--against", half))) == 0


@pytest.mark.parametrize(
    ("described", "kind", "reference", "precision", "expected"),
    [
        ({"provider": "CPUExecutionProvider"}, "onnx", "onnx", "fp32", "fp32"),
        ({"provider": "CUDAExecutionProvider"}, "onnx", "onnx", "fp32", "fp16"),
        ({"tensorrt": "10.3"}, "engine", "onnx", "fp32", "fp16"),
        ({"provider": "CPUExecutionProvider"}, "onnx", "engine", "fp32", "fp16"),
        ({"tensorrt": "10.3"}, "engine", "checkpoint", "int8", "int8"),
    ],
)
def test_a_gpu_multiplies_in_tf32(described, kind, reference, precision, expected):
    model = SimpleNamespace(kind=kind, info=deployed(precision=precision), describe=lambda: described)
    assert allowed(model, SimpleNamespace(kind=reference, info=deployed())) == expected


def test_files_of_other_networks_sizes_and_batches_are_refused(network, larger_network, export_onnx, tmp_path, capsys):
    stranger = export_onnx(tmp_path / "stranger.onnx", info=replace(deployed(), checkpoint_sha256="cd" * 32))
    pairs = export_onnx(tmp_path / "pairs.onnx", batch=2)
    for other, fault in (
        (stranger, f"checkpoint {'ab' * 32}, that of {stranger} is {'cd' * 32}"),
        (larger_network, f"input 64x96 (HxW), letterbox, that of {larger_network} is 128x192"),
        (pairs, f"batch 1, that of {pairs} is 2"),
    ):
        assert verify(network, "--against", other) == 2
        captured = capsys.readouterr()
        assert f"{network}: {fault}" in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_answers_recorded_elsewhere_are_compared_with(network, changed, dataset, tmp_path, capsys):
    answers, pictures = tmp_path / "deep" / "answers.npz", dataset / "images/val"
    copy, dark = changed(), changed("fp16", white=0.97)
    assert verify(dark, "--against", network, "--images", pictures, "--record", answers) == 1
    assert not answers.exists()
    assert verify(copy, "--against", network, "--images", pictures, "--record", answers) == 0
    assert verify(network, "--against", answers) == 0
    assert capsys.readouterr().out.endswith(f"{network} answers what {answers} does, on 3 pictures\n")
    assert verify(dark, "--against", answers) == 1
    assert f"{dark} differs from {answers} in lane, %" in capsys.readouterr().err
    for option, value in (("--images", pictures), ("--data", dataset)):
        assert verify(network, "--against", answers, option, value) == 2
        assert f"{answers}: brings its own pictures" in capsys.readouterr().err


def test_files_of_two_pictures_an_inference(export_onnx, network, dataset, tmp_path, capsys):
    pairs, answers = export_onnx(tmp_path / "pairs.onnx", batch=2), tmp_path / "answers.npz"
    assert verify(pairs, "--against", pairs, "--images", dataset / "images/val", "--record", answers) == 0
    assert len(Answers(answers).pictures) == 3
    assert verify(network, "--against", answers) == verify(pairs, "--against", answers) == 0


def test_of_int8_only_labels_tell(network, changed, dataset, capsys):
    byte = changed("int8", white=0.5)
    assert verify(byte, "--against", network) == 0
    assert "masks were not judged" in capsys.readouterr().out
    assert verify(byte, "--against", network, "--data", dataset) == 1
    captured = capsys.readouterr()
    assert "masks were not judged" not in captured.out and "lane_IoU, points" in captured.err


def test_what_is_not_finite_is_named_before_labels_are_looked_at(network, changed, dataset, capsys):
    broken = changed(white=np.nan)
    assert verify(broken, "--against", network, "--data", dataset) == 1
    captured = capsys.readouterr()
    assert "lane, outputs that are not finite" in captured.err and "points" not in captured.out


def test_bad_input_is_one_line_and_status_2(network, tmp_path, capsys):
    (tmp_path / "other.npz").write_bytes(b"something")
    for argv, fault in (
        ((network,), "--against"),
        ((network, "--against", network, "--data", tmp_path / "none"), "none"),
        ((network, "--against", network, "--record", tmp_path / "a.json"), "a.json: the name of recorded answers"),
        ((network, "--against", tmp_path / "none.npz"), "none.npz: no such file"),
        ((network, "--against", tmp_path / "other.npz"), "other.npz: no answers that panoedge verify --record wrote"),
        ((network, "--against", tmp_path / "absent.onnx"), "absent.onnx: no such file"),
        ((network, "--against", network, "--images", tmp_path), "no pictures"),
    ):
        assert verify(*argv) == 2
        captured = capsys.readouterr()
        assert fault in captured.err and captured.err.count("\n") == 1
