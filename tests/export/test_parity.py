import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from export.graph import tidy
from export.lowering import Calibration, lowered
from export.onnx_writer import finished
from export.parity import compare, require_parity
from export.precision import to_fp16
from perception.errors import GateFailed, InputError
from perception.onnx_metadata import read_deployed


def test_both_precisions_agree_on_photographs(files, network, photographs):
    for path in files.values():
        parity = compare(network, path, photographs)
        parity.require()
        measures = {measure.name: measure for measure in parity.measures}
        assert list(measures)[:3:2] == ["scores", "boxes, px"]
        assert measures["scores"].value > 0 and measures["boxes, px"].value > 0


def test_metrics_are_compared_where_there_are_labels(files, network, camvid):
    parity = compare(network, files["fp16"], data=camvid)
    names = [measure.name.split(",")[0] for measure in parity.measures if "points" in measure.name]
    assert names == ["recall", "mAP50", "drivable_mIoU", "lane_IoU", "lane_ACC"]
    by_name = {measure.name.split(",")[0]: measure for measure in parity.measures}
    assert by_name["recall"].limit == pytest.approx(100 / 195)  # one of its 195 vehicles
    assert by_name["lane_IoU"].limit == 0.1
    assert "->" in parity.table()


def test_another_network_is_told_apart(files, network):
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.model[40].cv4.conv.weight.mul_(1.05)
    with pytest.raises(GateFailed, match=r"lane, % of pixels off by more than 1: .*, allowed 0"):
        require_parity(other, files["fp32"])
    require_parity(network, files["fp32"])


def test_fp16_that_overflows_fails_and_is_not_what_export_writes(files, network, tmp_path: Path):
    """The first layer reaches 1e6 and the next one undoes it: sound in FP32, and on a CPU that computes so."""
    loud, plain, file = copy.deepcopy(network), onnx.load(files["fp32"]), tmp_path / "loud.onnx"
    with torch.no_grad():
        loud.model[0].conv.bn.weight.mul_(1e6)
        loud.model[0].conv.bn.bias.mul_(1e6)
        loud.model[1].conv.weight.mul_(1e-6)
    first, second = "network.model.0.conv.conv.weight", "network.model.1.conv.weight"
    for name, factor in {first: 1e6, f"{first}_bias": 1e6, second: 1e-6}.items():
        (constant,) = (constant for constant in plain.graph.initializer if constant.name == name)
        scaled = onnx.numpy_helper.to_array(constant) * np.float32(factor)
        constant.CopyFrom(onnx.numpy_helper.from_array(scaled, name))
    deployed = replace(read_deployed(files["fp32"]), precision="fp16")

    naive = ir.from_proto(plain)
    to_fp16(naive)
    onnx.save(finished(tidy(naive), deployed), file)
    with pytest.raises(GateFailed, match="differs from the network in"):
        require_parity(loud, file)

    model, kept = next(lowered(plain, "fp16", loud.spec, Calibration()))
    onnx.save(finished(model, deployed), file)
    require_parity(loud, file)
    found = [node for node in kept if node.why.startswith(("reaches", "reads", "feeds", "loses"))]
    assert any(node.operator == "Conv" and "reaches" in node.why for node in found) and len(found) < 10


def test_pictures_must_be_there(files, network, tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        compare(network, files["fp32"], tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        compare(network, files["fp32"], data=tmp_path / "nowhere")
