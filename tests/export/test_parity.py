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
from export.parity import Measure, Parity, compare, compare_metrics, compare_outputs, require_parity
from export.precision import to_fp16
from export.session import Session
from perception.errors import GateFailed, InputError
from perception.onnx_metadata import read_deployed
from perception.spec import Deployed, InputSpec
from perception.tasks import TASKS, Outputs, output_names

SPEC = InputSpec((32, 32))
PICTURES = [np.zeros((32, 32, 3), np.uint8)]


def _outputs(boxes: list, scores: list, level: int = 100) -> Outputs:
    mask = np.full((1, 32, 32), level, np.uint8)
    mean = np.array([level / 255], np.float32)
    return Outputs(np.array([boxes], np.float32), np.array([scores], np.float32), mask, mask.copy(), mean, mean)


def _compared(expected: Outputs, found: Outputs, precision: str = "fp32") -> dict[str, Measure]:
    session = Session(lambda _: found, Deployed("net", SPEC, precision, 1, 1, ""), 1)
    return {measure.name: measure for measure in compare_outputs(lambda _: expected, session, PICTURES)}


A, B, LAST = [1, 2, 3, 4], [11, 12, 13, 14], [20, 20, 30, 30]


def test_candidates_with_nearly_equal_scores_may_swap_places():
    found = _compared(_outputs([A, B, LAST], [0.50001, 0.5, 0.1]), _outputs([B, A, LAST], [0.50001, 0.5, 0.1]))
    assert found["boxes, px"].value == 0
    assert found["scores"].value == pytest.approx(1e-5, rel=0.01)
    assert found["scores"].passed


def test_a_box_with_the_score_of_another_is_a_difference():
    found = _compared(_outputs([A, B, LAST], [0.9, 0.3, 0.1]), _outputs([B, A, LAST], [0.9, 0.3, 0.1]))
    assert not found["boxes, px"].passed or not found["scores"].passed


def test_candidates_beside_the_last_may_drop_out():
    found = _compared(_outputs([A, B], [0.9, 0.10002]), _outputs([A, LAST], [0.9, 0.10001]))
    assert found["boxes, px"].value == 0 and found["boxes, px"].passed


def test_a_moved_a_missing_and_an_additional_box_are_differences():
    expected = _outputs([A, B, LAST], [0.9, 0.8, 0.1])
    assert _compared(expected, _outputs([A, [11, 12, 13, 14.5], LAST], [0.9, 0.8, 0.1]))["boxes, px"].value == 0.5
    assert not _compared(expected, _outputs([A, A, LAST], [0.9, 0.8, 0.1]))["boxes, px"].passed
    assert not _compared(_outputs([A, A, LAST], [0.9, 0.8, 0.1]), expected)["boxes, px"].passed


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_numbers_that_are_none_never_pass(fault, precision):
    expected = _outputs([A, LAST], [0.9, 0.1])
    assert not _compared(expected, _outputs([[fault] * 4, LAST], [0.9, 0.1]), precision)["boxes, px"].passed
    assert not _compared(expected, _outputs([A, LAST], [fault, 0.1]), precision)["scores"].passed


@pytest.mark.parametrize("both", [True, False])
def test_masks_of_no_numbers_never_pass(both):
    sound = _outputs([A, LAST], [0.9, 0.1])
    spoiled = replace(sound, lane_mean=np.float32([np.nan]))
    measure = _compared(spoiled if both else sound, spoiled)["lane, masks that are not finite"]
    assert (measure.value, measure.passed) == (2 if both else 1, False)
    assert not any("not finite" in name for name in _compared(sound, sound))


def test_masks_may_differ_by_one_level_and_in_fp16_a_few_pixels_by_more():
    expected, found = _outputs([A], [0.5]), _outputs([A], [0.5], level=101)
    key = "lane, % of pixels off by more than 1"
    assert _compared(expected, found)[key].value == 0
    assert _compared(expected, found)["lane, levels of 255"].mean == 1
    found.lane[0, 0, :8] = 110
    assert _compared(expected, found)["lane, levels of 255"].value == 10
    assert _compared(expected, found)[key].value == pytest.approx(100 * 8 / 1024)
    assert not _compared(expected, found)[key].passed
    assert _compared(expected, found, "fp16")[key].passed
    assert _compared(expected, found)["drivable, % of pixels off by more than 1"].passed


def test_the_filling_of_the_last_batch_does_not_count():
    sizes = []

    def infer(images: np.ndarray) -> Outputs:
        sizes.append(len(images))
        outputs = [_outputs([A], [0.5], level=int(image[0, 0, 0])) for image in images]
        return Outputs.of(TASKS, (np.concatenate([getattr(o, name) for o in outputs]) for name in output_names(TASKS)))

    pictures = [np.full((32, 32, 3), level, np.uint8) for level in (1, 2, 3)]
    session = Session(infer, Deployed("net", SPEC, "fp32", 1, 1, ""), 2)
    measures = {m.name: m for m in compare_outputs(lambda images: infer(images * 0), session, pictures)}
    assert measures["lane, levels of 255"].mean == 2
    assert set(sizes) == {2}


def test_both_precisions_agree_on_photographs(files, network, photographs):
    for path in files.values():
        parity = compare(network, path, photographs)
        parity.require()
        assert [measure.name for measure in parity.measures][:2] == ["scores", "boxes, px"]
        assert all(measure.value > 0 for measure in parity.measures[:2])


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


@pytest.mark.parametrize(
    ("network", "precision", "points"),
    [
        ("yolop", "fp32", 0.1),
        ("yolop", "fp16", 0.1),
        ("rmt-ppad", "fp16", 0.2),
        ("own", "fp16", 0.1),
        ("own", "int8", 2),
    ],
)
def test_what_metrics_may_change_by(camvid, network, precision, points):
    def infer(images: np.ndarray) -> Outputs:
        return _outputs([A], [0.5])

    session = Session(infer, Deployed(network, SPEC, precision, 1, 1, ""), 1)
    limits = {measure.name.split(",")[0]: measure.limit for measure in compare_metrics(infer, session, camvid)}
    assert limits["lane_IoU"] == limits["drivable_mIoU"] == points
    assert limits["mAP50"] == max(points, 100 / 195)


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


def test_table_and_verdict_name_what_was_missed():
    good, bad = Measure("scores", 1e-7, 1e-8, 1e-4), Measure("boxes, px", 3.25, 0.5, 0.01)
    unjudged = replace(bad, name="levels", limit=None)
    Parity((good, unjudged)).require()
    lines = Parity((good, bad, unjudged)).table().splitlines()
    assert lines[0].split() == ["difference", "to", "the", "network", "largest", "mean", "allowed"]
    assert lines[2].split() == ["boxes,", "px", "3.25", "0.5", "0.01"]
    assert lines[3].split() == ["levels", "3.25", "0.5"]
    with pytest.raises(GateFailed, match=r"^it differs from the network in boxes, px: 3\.25, allowed 0\.01$"):
        Parity((good, bad)).require()
