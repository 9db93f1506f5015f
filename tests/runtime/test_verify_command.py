"""``verify``: two files of one network on the same pictures."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from perception.command import main
from runtime import verify_command
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
    assert out.endswith(f"{copy} sees what {network} does\n")


@pytest.mark.parametrize(
    ("constant", "factor", "named"),
    [
        ("white", 0.97, "lane, % of pixels off by more than 1: 100, allowed 0"),
        ("boxes_", 1.01, "boxes, px"),
        ("scores_", 0.99, "scores"),
    ],
)
def test_a_difference_is_named_and_status_1(network, changed, capsys, constant, factor, named):
    other = changed(**{constant: factor})
    assert verify(other, "--against", network) == 1
    captured = capsys.readouterr()
    assert "difference to" in captured.out and "sees what" not in captured.out
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


def test_bad_input_is_one_line_and_status_2(network, tmp_path, capsys):
    for argv, fault in (
        ((network,), "--against"),
        ((network, "--against", tmp_path / "absent.onnx"), "absent.onnx: no such file"),
        ((network, "--against", network, "--images", tmp_path), "no pictures"),
    ):
        assert verify(*argv) == 2
        captured = capsys.readouterr()
        assert fault in captured.err and captured.err.count("\n") == 1
